//! Every door against every kind of caller. `doors.txt` is the table that a person reads; the running services must answer
//! exactly so, and some things must hold whatever the table says.
//!
//! A route or RPC that is added changes the measured table, so the test fails until somebody has looked at the new row:
//! `UPDATE_GOLDEN=1` writes the file anew.

mod http;
mod rpc;

use std::fmt::Write;
use std::path::Path;

use crate::stage::on_stage;

/// What stands above the table.
const LEGEND: &str = "\
# Every HTTP route and every RPC of the running services, and how it answers each kind of caller about the things of one
# tenant. in: past authorisation, whatever comes then; a number or a word: the refusal, the same for a good request, for
# garbage in body and query, and for no body. open: everybody is answered alike.
# owner (who also administers the tenant), admin, member: of the brand. colleague: of the tenant, without a role.
# chief: administers the tenant, without a role. stranger: owner of another tenant's brand. key: an API key with every scope.
# service: a service token of the control plane for the directory. preflight: a PREFLIGHT_JWT.
# publisher, revoker, reader: service tokens with one scope. elsewhere: all three, for another tenant. gateway: the
# second service, which may only read. publisher*: its key, claiming to publish. console: it may exchange a PREFLIGHT_JWT.
# governor: a call to the vault in the name of a person with GOVERNANCE, to read metadata.
# Measured by tests/attack/walk.rs on running services; UPDATE_GOLDEN=1 rewrites it.
";

#[test]
fn every_door_answers_each_caller_as_the_table_says() {
    on_stage(async |stage| {
        let mut measured = LEGEND.to_owned();
        for table in [http::measure(stage).await, rpc::measure(stage).await] {
            write!(measured, "\n{}", laid_out(&table)).unwrap();
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("attack/doors.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &measured).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        for (measured, committed) in measured.lines().zip(committed.lines()) {
            assert_eq!(measured, committed, "a door answers otherwise than tests/attack/doors.txt says");
        }
        assert_eq!(measured, committed, "tests/attack/doors.txt has more or fewer doors than the services");
    });
}

/// Columns as wide as their widest cell.
fn laid_out(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |at: usize| rows.iter().map(|row| row[at].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(text, "{}", cells.join(" ").trim_end()).unwrap();
    }
    text
}
