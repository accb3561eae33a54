//! The public half, the private half, and the table that both edges read.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use mintmark_fault::{Chain, Fault, Kind};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/table.txt");

fn printed_table() -> String {
    let mut table = String::from(
        "# Printed by tests/faults.rs; UPDATE_GOLDEN=1 rewrites it.\nkind                http grpc title\n",
    );
    for kind in Kind::ALL {
        let (name, http, grpc, title) = (kind.name(), kind.http_status(), kind.grpc_code(), kind.title());
        writeln!(table, "{name:<19} {http:<4} {grpc:<4} {title}").unwrap();
    }
    table
}

#[test]
fn table_matches_golden_file() {
    let printed = printed_table();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(TABLE, &printed).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(TABLE).unwrap(),
        printed,
        "run the test with UPDATE_GOLDEN=1 when the change is meant"
    );
}

#[test]
fn kind_names_are_unique_and_read_back() {
    let names: HashSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), Kind::ALL.len());
    for kind in Kind::ALL {
        assert_eq!(Kind::from_name(kind.name()), Some(*kind));
    }
    assert_eq!(Kind::from_name("teapot"), None);
}

#[test]
fn kind_from_grpc_keeps_the_number() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_grpc(kind.grpc_code()).grpc_code(), kind.grpc_code());
    }
    assert_eq!(Kind::from_grpc(2), Kind::Internal);
    assert_eq!(Kind::from_grpc(-1), Kind::Internal);
}

#[derive(Debug)]
struct Driver(&'static str, Option<Box<Driver>>);

impl std::fmt::Display for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Driver {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|e| e as _)
    }
}

#[test]
fn display_hides_the_cause_and_chain_shows_it() {
    let root = Driver("connection refused by 10.0.0.7", None);
    let fault = Fault::internal(Driver("select failed", Some(Box::new(root))));
    assert!(!fault.to_string().contains("10.0.0.7"));
    assert!(!fault.message().contains("select"));
    let line = Chain(&fault).to_string();
    assert!(line.ends_with("select failed: connection refused by 10.0.0.7"), "{line}");
    assert!(line.starts_with("INTERNAL: "), "{line}");
}

#[test]
fn chain_does_not_repeat_a_cause_already_printed() {
    let outer = Driver("wrapped: broken pipe", Some(Box::new(Driver("broken pipe", None))));
    assert_eq!(Chain(&outer).to_string(), "wrapped: broken pipe");
}

#[test]
fn builders_read_back() {
    let fault = Fault::invalid("UNITS_RANGE", "units", "units is between 1 and 10,000,000")
        .with("maximum", 10_000_000)
        .retry_after(Duration::from_secs(3));
    assert_eq!(fault.kind(), Kind::InvalidInput);
    assert_eq!(fault.code(), "UNITS_RANGE");
    assert_eq!(fault.field_name(), Some("units"));
    assert_eq!(fault.members()["maximum"], 10_000_000);
    assert_eq!(fault.retry_delay(), Some(Duration::from_secs(3)));
    assert_eq!(fault.to_string(), "UNITS_RANGE: units is between 1 and 10,000,000");
    assert!(fault.source().is_none());
}

#[test]
fn shorthands_have_their_kind_and_code() {
    for (fault, kind, code) in [
        (Fault::unauthenticated(), Kind::Unauthenticated, "AUTHENTICATION_REQUIRED"),
        (Fault::not_found("batch"), Kind::NotFound, "NOT_FOUND"),
        (Fault::forbidden("FORBIDDEN", "no"), Kind::Forbidden, "FORBIDDEN"),
        (Fault::conflict("TAKEN", "taken"), Kind::Conflict, "TAKEN"),
        (Fault::unavailable("AWAY", "away"), Kind::Unavailable, "AWAY"),
    ] {
        assert_eq!((fault.kind(), fault.code()), (kind, code));
    }
    assert_eq!(Fault::not_found("batch").message(), "no such batch");
}

#[test]
fn fault_is_one_pointer_and_crosses_threads() {
    fn crosses<T: Send + Sync + Error + 'static>() {}
    crosses::<Fault>();
    assert_eq!(size_of::<Fault>(), size_of::<usize>());
}
