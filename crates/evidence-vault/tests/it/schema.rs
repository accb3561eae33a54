//! The database: migrations up and down, the hand-written schema, and what the logins may not do.

use std::collections::BTreeMap;

use mintmark_devstack::testdb;
use mintmark_evidence_vault::migrate::MIGRATIONS;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Table, then column and type, in the order of the table, as `store/schema.rs` says it.
fn declared() -> BTreeMap<String, Vec<(String, String)>> {
    let source = include_str!("../../src/store/schema.rs");
    let blocks = source.split("diesel::table! {").skip(1).map(|block| block.split("\n}").next().unwrap());
    blocks
        .map(|block| {
            let name = block.split_whitespace().next().unwrap().to_owned();
            let columns =
                block.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(" -> "));
            (name, columns.map(|(column, kind)| (column.to_owned(), kind.to_owned())).collect())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn schema_in_the_source_is_the_schema_of_the_migrated_database() {
    let db = testdb::database("evidence-vault").await;
    let query = "SELECT table_name::text, column_name::text, udt_name::text, is_nullable = 'YES'
        FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name NOT IN ('jobs', '__diesel_schema_migrations')
            AND table_name NOT LIKE 'audit%'
        ORDER BY table_name, ordinal_position";
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for row in connect(&db.owner_url()).await.query(query, &[]).await.unwrap() {
        let (table, column, kind, nullable): (String, String, String, bool) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let kind = match kind.as_str() {
            "uuid" => "Uuid",
            "text" => "Text",
            "int4" => "Integer",
            "int8" => "BigInt",
            "bytea" => "Bytea",
            "jsonb" => "Jsonb",
            "timestamptz" => "Timestamptz",
            "bool" => "Bool",
            "date" => "Date",
            other => panic!("{other} has no counterpart here yet"),
        };
        let kind = if nullable { format!("Nullable<{kind}>") } else { kind.to_owned() };
        found.entry(table).or_default().push((column, kind));
    }
    assert_eq!(declared(), found);
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_go_down_and_up_again() {
    let db = testdb::empty().await;
    let superuser = connect(&db.superuser_url()).await;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/evidence-vault");
    superuser.batch_execute(&std::fs::read_to_string(folder.join("roles.sql")).unwrap()).await.unwrap();
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    names.sort();
    let run = async |path: &std::path::Path, file: &str| {
        let sql = std::fs::read_to_string(path.join(file)).unwrap();
        superuser
            .batch_execute(&sql)
            .await
            .unwrap_or_else(|error| panic!("{}/{file}: {error:?}", path.display()));
    };
    for _ in 0..2 {
        for name in &names {
            run(name, "up.sql").await;
        }
        for name in names.iter().rev() {
            run(name, "down.sql").await;
        }
    }
    let left = superuser.query("SELECT 1 FROM pg_tables WHERE schemaname = 'public'", &[]).await.unwrap();
    assert!(left.is_empty());
    let _compiled = MIGRATIONS;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_login_does_what_is_not_its_own() {
    let db = testdb::database("evidence-vault").await;
    for (login, statements) in [
        (
            "evidence_vault",
            &[
                "DELETE FROM evidence",
                "DELETE FROM kek",
                "DELETE FROM erasure_proof",
                "UPDATE erasure_proof SET jwt = ''",
                "DELETE FROM evidence_wrapping",
                "UPDATE evidence_wrapping SET kek_id = record_id",
                "DELETE FROM audit_entry",
                "UPDATE audit_entry SET actor = 'nobody'",
                "DELETE FROM audit_leaf",
                "INSERT INTO audit_checkpoint DEFAULT VALUES",
                "DELETE FROM jobs",
                "TRUNCATE evidence",
                "CREATE TABLE mine ()",
            ][..],
        ),
        (
            "evidence_sequencer",
            &[
                "SELECT 1 FROM evidence",
                "SELECT 1 FROM evidence_key",
                "SELECT 1 FROM kek",
                "SELECT 1 FROM erasure_proof",
                "SELECT 1 FROM evidence_wrapping",
                "SELECT 1 FROM jobs",
                "UPDATE audit_entry SET actor = 'nobody'",
                "DELETE FROM audit_leaf",
            ][..],
        ),
    ] {
        let client = connect(&db.url(login)).await;
        for statement in statements {
            let refused =
                client.batch_execute(statement).await.err().unwrap_or_else(|| panic!("{login}: {statement}"));
            assert_eq!(
                refused.code(),
                Some(&SqlState::INSUFFICIENT_PRIVILEGE),
                "{login}: {statement}: {refused}"
            );
        }
    }
}
