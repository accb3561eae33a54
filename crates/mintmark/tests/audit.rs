//! `mintmark audit verify`: what it says of good and of forged files, and how it ends.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::{Command, Output};

use mintmark_audit::proof::{Consistency, Inclusion, to_line};
use serde_json::Value;

#[path = "../../audit/tests/proofs/world.rs"]
#[expect(dead_code, reason = "the audit's own tests use the rest")]
mod world;

use world::World;

const ACME: Option<&str> = Some("acme");

/// A folder with the files of one test.
struct Case(tempfile::TempDir);

impl Case {
    fn new() -> Self {
        let case = Case(tempfile::tempdir().unwrap());
        case.put("keys.txt", &format!("# keys of the log\n{}\n", world::key("log")));
        case.put("jwks.json", &world::jwks("exporter"));
        case
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, files: &[PathBuf], more: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_mintmark"))
            .args(["audit", "verify", "--keys", "keys.txt", "--jwks", "jwks.json"])
            .args(more)
            .args(files)
            .current_dir(self.0.path())
            .output()
            .unwrap();
        let said = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
        (status.code(), said)
    }
}

fn log() -> World {
    World::of(&[ACME, None, ACME, Some("other"), ACME])
}

#[test]
fn good_files_hold_and_it_exits_0() {
    let (case, log) = (Case::new(), log());
    let proof = Inclusion::new(log.entries[2].clone(), &log.path(2, 5), log.note(5));
    let files = [
        case.put("acme.ndjson", &log.export(ACME, 5, &[])),
        case.put("entry.json", &to_line(&proof)),
        case.put("newest.txt", &log.note(5)),
    ];
    let (code, said) = case.run(&files, &[]);
    assert_eq!(code, Some(0), "{said}");
    for part in ["mintmark.invalid/test/1 at 5 leaves: 3 entries proven (numbers 1 to 3)", "All of it holds."]
    {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
}

#[test]
fn kept_checkpoint_is_connected_by_a_consistency_proof() {
    let (case, log) = (Case::new(), log());
    let bundle = case.put("acme.ndjson", &log.export(ACME, 5, &[]));
    case.put("kept.txt", &log.note(2));
    let (code, said) = case.run(std::slice::from_ref(&bundle), &["--kept", "kept.txt"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("give a consistency proof"), "{said}");
    let step = Consistency::new(log.note(2), log.note(5), &log.consistency(2, 5));
    let step = case.put("step.json", &to_line(&step));
    let (code, said) = case.run(&[bundle, step], &["--kept", "kept.txt"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("continues what you kept"), "{said}");
}

#[test]
fn forged_bundle_exits_1_and_says_where() {
    let (case, log) = (Case::new(), log());
    let forged = log.export(ACME, 5, &[]).replacen("evd_2", "evd_3", 1);
    let forged = case.put("forged.ndjson", &forged);
    let (code, said) = case.run(std::slice::from_ref(&forged), &["--json"]);
    assert_eq!(code, Some(1), "{said}");
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["holds"], &said["files"][0]["code"]), (&Value::Bool(false), &"COMMITMENT".into()));
    assert!(said["files"][0]["found"][0].as_str().unwrap().starts_with("line 4: "), "{said}");
    let older = case.put("older.ndjson", &log.export(ACME, 3, &[]));
    case.put("kept.txt", &log.note(5));
    let (code, said) = case.run(&[older], &["--kept", "kept.txt"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("newest entries were dropped"), "{said}");
}

#[test]
fn what_cannot_be_decided_exits_2() {
    let (case, log) = (Case::new(), log());
    let bundle = case.put("acme.ndjson", &log.export(ACME, 5, &[]));
    let absent = case.0.path().join("absent.ndjson");
    assert_eq!(case.run(&[bundle.clone(), absent], &[]).0, Some(2));
    let twice = case.put("twice.txt", &format!("{0}\n{0}\n", world::key("log")));
    case.put("keys.txt", &std::fs::read_to_string(twice).unwrap());
    let (code, said) = case.run(std::slice::from_ref(&bundle), &[]);
    assert!(code == Some(2) && said.contains("repeats a key"), "{said}");
    case.put("keys.txt", "");
    assert_eq!(case.run(&[bundle], &[]).0, Some(2));
}
