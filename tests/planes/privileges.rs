//! The rights of each login are a table in a file, found out by trying: a table, a function or a role that is added
//! changes the file, and whoever adds it sees what every login may do with it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use mintmark_devstack::testdb::{self, TestDb};

use crate::attempts::{Attempts, Inventory};
use crate::estate::connect;

/// Statements that are about no table of ours. What Postgres lets everybody do stands in the file as well.
const STATEMENTS: &[(&str, &str)] = &[
    ("make a table", "CREATE TABLE own (a int)"),
    ("make a table by a query", "CREATE TABLE own AS SELECT 1 AS a"),
    ("make a temporary table", "CREATE TEMPORARY TABLE own (a int)"),
    ("make a schema", "CREATE SCHEMA own"),
    ("make a view", "CREATE VIEW own AS SELECT 1 AS a"),
    ("make a function", "CREATE FUNCTION own() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
    ("make a sequence", "CREATE SEQUENCE own"),
    ("make a type", "CREATE TYPE own AS ENUM ('a')"),
    (
        "make an event trigger",
        "CREATE EVENT TRIGGER own ON ddl_command_start EXECUTE FUNCTION pg_catalog.event_trigger_in()",
    ),
    ("make a cast", "CREATE CAST (text AS int) WITH INOUT"),
    ("make a publication", "CREATE PUBLICATION own"),
    ("make a role", "CREATE ROLE own"),
    ("make a foreign data wrapper", "CREATE FOREIGN DATA WRAPPER own"),
    ("reach other servers by dblink", "CREATE EXTENSION dblink"),
    ("reach other servers by postgres_fdw", "CREATE EXTENSION postgres_fdw"),
    ("reach files by file_fdw", "CREATE EXTENSION file_fdw"),
    ("read a file", "SELECT pg_read_file('/etc/hostname')"),
    ("read a file as bytes", "SELECT pg_read_binary_file('/etc/hostname')"),
    ("look at a file", "SELECT pg_stat_file('/etc/hostname')"),
    ("list a folder", "SELECT pg_ls_dir('/')"),
    ("list the log", "SELECT pg_ls_logdir()"),
    ("copy from a file", "COPY pg_catalog.pg_class FROM '/etc/hostname'"),
    ("copy to a file", "COPY (SELECT 1) TO '/tmp/own'"),
    ("run a program", "COPY (SELECT 1) TO PROGRAM 'true'"),
    ("take a large object from a file", "SELECT lo_import('/etc/hostname')"),
    ("put a large object into a file", "SELECT lo_export(1, '/tmp/own')"),
    ("make a large object", "SELECT lo_create(0)"),
    ("read large objects", "SELECT * FROM pg_largeobject"),
    ("read passwords", "SELECT * FROM pg_authid"),
    ("read statistics of columns", "SELECT * FROM pg_statistic"),
    ("read the rules of access", "SELECT * FROM pg_hba_file_rules"),
    ("read what is configured", "SELECT * FROM pg_file_settings"),
    ("change the catalogue", "UPDATE pg_class SET relacl = NULL"),
    (
        "end another's session",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres' AND pid <> pg_backend_pid() AND datname = current_database()",
    ),
    ("load the configuration", "SELECT pg_reload_conf()"),
    ("turn the log over", "SELECT pg_rotate_logfile()"),
    ("switch the write-ahead log", "SELECT pg_switch_wal()"),
    ("read the write-ahead log by a slot", "SELECT pg_create_logical_replication_slot('own', 'pgoutput')"),
    ("begin a backup", "SELECT pg_backup_start('own')"),
    ("load a library", "LOAD 'auto_explain'"),
    ("silence triggers", "SET session_replication_role = replica"),
    ("silence the log", "SET log_statement = 'none'"),
    ("become the superuser", "SET SESSION AUTHORIZATION postgres"),
    ("give itself a right of the superuser", "ALTER ROLE CURRENT_USER SUPERUSER"),
    ("give itself a role", "GRANT pg_read_all_data TO CURRENT_USER"),
    ("change its own password", "ALTER ROLE CURRENT_USER PASSWORD 'own'"),
    ("change another's password", "ALTER ROLE postgres PASSWORD 'own'"),
    (
        "change the database",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''1GB''', current_database()); END $$",
    ),
    (
        "let everybody connect",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO CURRENT_USER', current_database()); END $$",
    ),
    ("comment on the schema", "COMMENT ON SCHEMA public IS 'own'"),
    ("take an advisory lock", "SELECT pg_advisory_xact_lock(1)"),
    ("notify", "NOTIFY own"),
];

/// Statements that Postgres does not take inside a transaction.
const ALONE: &[(&str, &str)] = &[
    ("make a database", "CREATE DATABASE own"),
    ("change the server", "ALTER SYSTEM SET work_mem = '1GB'"),
    ("make a tablespace", "CREATE TABLESPACE own LOCATION '/tmp'"),
    ("make a subscription", "CREATE SUBSCRIPTION own CONNECTION 'dbname=own' PUBLICATION own"),
];

/// Rows of the file: what it is about, then a cell for each login.
type Rows = Vec<(String, Vec<String>)>;

async fn rights(db: &TestDb, logins: &[&'static str]) -> Rows {
    let superuser = connect(&db.superuser_url()).await;
    let inventory = Inventory::of(&superuser).await;
    let mut columns = Vec::new();
    for login in logins {
        columns.push(of_login(&Attempts::of(login, &db.url(login)).await, &inventory).await);
    }
    let mut rows: Rows = columns[0].keys().map(|(_, what)| (what.clone(), Vec::new())).collect();
    for column in &columns {
        for ((_, cells), found) in rows.iter_mut().zip(column.values()) {
            cells.push(found.clone());
        }
    }
    rows
}

/// What one login may do, in the order of the file.
async fn of_login(login: &Attempts, inventory: &Inventory) -> BTreeMap<(u8, String), String> {
    let mut found = BTreeMap::new();
    for (actual, relation) in &inventory.relations {
        let (what, words) = if relation.kind == 'S' {
            (format!("sequence {}", relation.name), login.on_sequence(actual).await)
        } else {
            (format!("table {}", relation.name), login.on_table(actual, &relation.columns).await)
        };
        let words = or_nothing(words.join(", "));
        let before = found.insert((0, what.clone()), words.clone());
        assert!(before.is_none_or(|before| before == words), "{what} is not alike for {}", login.login);
    }
    for (signature, call, peculiar) in &inventory.functions {
        let may = if login.may(call).await { format!("execute {peculiar}") } else { String::new() };
        found.insert((1, format!("function {signature}")), or_nothing(may.trim().to_owned()));
    }
    let yes = |may: bool| or_nothing(if may { "yes".to_owned() } else { String::new() });
    for (what, statement) in STATEMENTS {
        found.insert((2, (*what).to_owned()), yes(login.may(statement).await));
    }
    for (what, statement) in ALONE {
        found.insert((2, (*what).to_owned()), yes(login.may_alone(statement).await));
    }
    let mut becomes = Vec::new();
    for role in inventory.roles.iter().filter(|role| *role != login.login) {
        if login.may(&format!("SET ROLE \"{role}\"")).await {
            becomes.push(role.as_str());
        }
    }
    found.insert((3, "become any other role".to_owned()), or_nothing(becomes.join(", ")));
    found
}

/// The words of a cell without the columns that they are about.
fn words(cell: &str) -> Vec<String> {
    let mut depth = 0_u32;
    let mut outside = String::new();
    for character in cell.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 => outside.push(character),
            _ => {}
        }
    }
    outside.split(',').map(|word| word.trim().to_owned()).collect()
}

fn or_nothing(words: String) -> String {
    if words.is_empty() { "-".to_owned() } else { words }
}

fn as_text(logins: &[&str], rows: &Rows) -> String {
    let mut text = String::from("What each login may do, tried by tests/planes. `-`: refused by Postgres.\n");
    for (what, cells) in rows {
        let _ = writeln!(text, "\n{what}");
        for (login, cell) in logins.iter().zip(cells) {
            let _ = writeln!(text, "    {login:<20}{cell}");
        }
    }
    text
}

/// Compares with the committed file, or writes it where `UPDATE_GOLDEN` is set.
fn golden(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("planes").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, text).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let (committed, found): (Vec<&str>, Vec<&str>) =
        (committed.split("\n\n").collect(), text.split("\n\n").collect());
    let missing = |from: &[&str], of: &[&str]| -> String {
        of.iter().filter(|row| !from.contains(row)).map(|row| format!("\n{row}")).collect()
    };
    let (gone, new) = (missing(&found, &committed), missing(&committed, &found));
    assert!(
        committed == found,
        "the logins have other rights than tests/planes/{name} says.\nNo longer:{gone}\nNow:{new}\n\
         If each of these is meant, write the file again with UPDATE_GOLDEN=1 and let somebody read the difference."
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_login_of_the_resolver_has_the_rights_of_the_file_and_no_other() {
    let db = testdb::database("resolver").await;
    connect(&db.superuser_url()).await.batch_execute("SELECT open_partition(1, 1)").await.unwrap();
    let logins = ["resolver_scan", "resolver_directory"];
    let rows = rights(&db, &logins).await;

    // What the file may never come to say, whoever writes it again.
    let scan = |what: &str| &rows.iter().find(|(row, _)| row == what).unwrap().1[0];
    for (what, cells) in rows.iter().filter(|(what, _)| what.starts_with("table ")) {
        let may = words(&cells[0]);
        let telemetry = ["table scan_event", "table scan_segment"].contains(&what.as_str());
        assert_eq!(may.iter().any(|word| word == "insert"), telemetry, "{what}: {may:?}");
        let known = ["select", "copy out", "insert", "copy in", "-"];
        assert!(may.iter().all(|word| known.contains(&word.as_str())), "resolver_scan: {what}: {may:?}");
    }
    let executes: Vec<&str> = rows
        .iter()
        .filter(|(what, cells)| what.starts_with("function ") && cells[0] != "-")
        .map(|(what, _)| what.as_str())
        .collect();
    assert_eq!(executes.len(), 1, "{executes:?}");
    assert!(executes[0].starts_with("function activate("));
    assert_eq!(
        (scan("table scan_event"), scan("table activation")),
        (&"insert, copy in".to_owned(), &"-".to_owned())
    );
    golden("privileges-resolver.txt", &as_text(&logins, &rows));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logins_of_the_preflight_gateway_have_the_rights_of_the_file_and_no_other() {
    let db = testdb::database("preflight-gateway").await;
    let logins = ["preflight_gateway", "preflight_worker"];
    let rows = rights(&db, &logins).await;
    golden("privileges-preflight-gateway.txt", &as_text(&logins, &rows));
}

/// What no file may come to say of the audit: that an entry can be changed or taken away, that a service touches the log, or
/// that its sequencer touches anything else.
fn check_audit(rows: &Rows, service: usize, sequencer: usize) {
    let adds = ["select", "copy out", "insert", "copy in", "-"];
    for (what, cells) in rows {
        let Some(table) = what.strip_prefix("table ") else { continue };
        let only = |login: usize, known: &[&str]| {
            let may = words(&cells[login]);
            assert!(may.iter().all(|word| known.contains(&word.as_str())), "{what}: {may:?}");
        };
        match table {
            "audit_entry" => {
                only(service, &adds);
                only(sequencer, &adds);
            }
            "audit_pending" => {
                only(service, &adds);
                only(sequencer, &["select", "copy out", "delete", "lock"]);
            }
            "audit_log" | "audit_leaf" | "audit_node" => {
                only(service, &["select", "copy out"]);
                only(sequencer, &adds);
            }
            "audit_head" | "audit_checkpoint" => only(service, &["select", "copy out"]),
            "audit_tenant_head" => only(service, &["-"]),
            _ => only(sequencer, &["-"]),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logins_of_the_control_plane_have_the_rights_of_the_file_and_no_other() {
    let db = testdb::database("control-plane").await;
    let logins = ["control_app", "control_sequencer"];
    let rows = rights(&db, &logins).await;
    for (what, cells) in rows.iter().filter(|(what, _)| what.starts_with("table ")) {
        let (may, known) =
            (words(&cells[0]), ["select", "copy out", "insert", "copy in", "update", "delete", "lock", "-"]);
        assert!(may.iter().all(|word| known.contains(&word.as_str())), "control_app: {what}: {may:?}");
    }
    check_audit(&rows, 0, 1);
    golden("privileges-control-plane.txt", &as_text(&logins, &rows));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logins_of_the_evidence_vault_have_the_rights_of_the_file_and_no_other() {
    let db = testdb::database("evidence-vault").await;
    let logins = ["evidence_vault", "evidence_sequencer"];
    let rows = rights(&db, &logins).await;
    check_audit(&rows, 0, 1);
    golden("privileges-evidence-vault.txt", &as_text(&logins, &rows));
}
