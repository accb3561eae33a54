//! The database: migrations up and down, the hand-written schema, and what the two logins may not do.

use std::collections::BTreeMap;

use mintmark_devstack::testdb;
use mintmark_preflight_gateway::migrate::MIGRATIONS;
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
    let db = testdb::database("preflight-gateway").await;
    let query = "SELECT table_name::text, column_name::text, udt_name::text, is_nullable = 'YES'
        FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name NOT IN ('jobs', '__diesel_schema_migrations')
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
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/preflight-gateway");
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
async fn neither_login_does_the_others_work() {
    let db = testdb::database("preflight-gateway").await;
    for (login, statements) in [
        (
            "preflight_gateway",
            &[
                "INSERT INTO preflight_facts VALUES ('', '', '', 1)",
                "INSERT INTO preflight_report VALUES (gen_random_uuid(), 'acme', '{}')",
                "UPDATE preflight_job SET verdict = 'pass'",
                "UPDATE preflight_job SET target_etag = 'x'",
                "UPDATE preflight_job SET tenant_id = 'x'",
                "UPDATE preflight_report SET document = '{}'",
                "UPDATE preflight_policy SET document = '{}'",
                "DELETE FROM preflight_job",
                "DELETE FROM jobs",
            ][..],
        ),
        (
            "preflight_worker",
            &[
                "INSERT INTO preflight_job (id) VALUES (gen_random_uuid())",
                "INSERT INTO jobs (id) VALUES (gen_random_uuid())",
                "UPDATE preflight_job SET policy = 'x'",
                "UPDATE preflight_job SET target_file = 'x'",
                "UPDATE preflight_facts SET deflated = ''",
                "UPDATE preflight_report SET document = '{}'",
                "SELECT 1 FROM preflight_telemetry",
                "INSERT INTO preflight_policy (tenant_id) VALUES ('acme')",
                "DELETE FROM preflight_facts",
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
