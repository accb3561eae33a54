//! What every service's tests ask of its migrations: that the schema in the source is the database's, that they go down as well
//! as up, and what a login may not do.
//!
//! For tests alone, like all of [`crate::testdb`]: these functions panic with what is wrong.

use std::collections::BTreeMap;
use std::path::Path;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::{TestDb, chain, database, empty, folders, migrations, read};
use crate::DevstackError;
use crate::provision::{connect, run};

/// Each table with its columns and their types, in Diesel's words and in the table's order.
pub type Tables = BTreeMap<String, Vec<(String, String)>>;

const COLUMNS: &str = "SELECT table_name::text, column_name::text, udt_name::text, is_nullable = 'YES'
    FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name NOT IN ('jobs', '__diesel_schema_migrations')
    ORDER BY table_name, ordinal_position";

/// The tables that the `diesel::table!` blocks of a source declare.
#[must_use]
pub fn declared(source: &str) -> Tables {
    let blocks = source.split("diesel::table! {").skip(1).filter_map(|block| block.split("\n}").next());
    blocks
        .map(|block| {
            let name = block.split_whitespace().next().unwrap_or_default().to_owned();
            let columns =
                block.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(" -> "));
            (name, columns.map(|(column, kind)| (column.to_owned(), kind.to_owned())).collect())
        })
        .collect()
}

/// The tables of a migrated database, but the queue's, which are the same everywhere and declared by the crate that keeps it.
///
/// # Panics
/// When the database cannot be asked, or has a type that is not known here.
pub async fn found(db: &TestDb) -> Tables {
    let client = open(&db.owner_url()).await;
    let rows = client.query(COLUMNS, &[]).await.map_err(DevstackError::sql("list its columns"));
    let mut tables = Tables::new();
    for row in rows.unwrap_or_else(|e| panic!("{}", chain(&e))) {
        let kind = in_diesel(row.get(2));
        let kind = if row.get(3) { format!("Nullable<{kind}>") } else { kind.to_owned() };
        tables.entry(row.get(0)).or_default().push((row.get(1), kind));
    }
    tables
}

fn in_diesel(kind: &str) -> &'static str {
    match kind {
        "uuid" => "Uuid",
        "text" => "Text",
        "bpchar" => "Bpchar",
        "bool" => "Bool",
        "int2" => "SmallInt",
        "int4" => "Integer",
        "int8" => "BigInt",
        "bytea" => "Bytea",
        "jsonb" => "Jsonb",
        "timestamptz" => "Timestamptz",
        "date" => "Date",
        "_text" => "Array<Text>",
        other => panic!("{other} has no counterpart here yet"),
    }
}

/// Applies a service's migrations, takes them all back, and does both again: what is taken back leaves nothing.
///
/// # Panics
/// With the file at fault.
pub async fn goes_down_and_up_again(service: &str) {
    // The roles are the cluster's, and made with the first database of this service.
    let _roles = database(service).await;
    let db = empty().await;
    let client = open(&db.superuser_url()).await;
    let folders = folders(&migrations(service)).unwrap_or_else(|e| panic!("{}", chain(&e)));
    assert!(!folders.is_empty(), "{service} has no migrations");
    for _ in 0..2 {
        for folder in &folders {
            apply(&client, &folder.join("up.sql")).await;
        }
        for folder in folders.iter().rev() {
            apply(&client, &folder.join("down.sql")).await;
        }
        let left =
            client.query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'", &[]).await;
        let left: Vec<String> = left.iter().flatten().map(|row| row.get(0)).collect();
        assert!(left.is_empty(), "{service}: {left:?} are left");
    }
}

async fn apply(client: &Client, file: &Path) {
    let applied = async { run(client, &format!("apply {}", file.display()), &read(file)?).await };
    if let Err(e) = applied.await {
        panic!("{}", chain(&e));
    }
}

/// That a login lacks the privilege for each of these statements.
///
/// # Panics
/// With the first one that it may execute.
pub async fn refuses(db: &TestDb, login: &str, statements: &[&str]) {
    let client = open(&db.url(login)).await;
    for statement in statements {
        let outcome = client.batch_execute(statement).await;
        let Err(refused) = outcome else { panic!("{login} may do this: {statement}") };
        let code = refused.code();
        assert_eq!(code, Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{login}: {statement}: {refused}");
    }
}

async fn open(url: &str) -> Client {
    connect(url).await.unwrap_or_else(|e| panic!("no connection: {}", chain(&e)))
}
