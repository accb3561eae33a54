//! The schema of the version before, the step to this one, and one step further.

use std::path::{Path, PathBuf};
use std::process::Command;

use mintmark_devstack::testdb::{self, TestDb};
use mintmark_tests::program;
use tokio_postgres::{Client, NoTls};

/// What diesel keeps of what was applied.
const APPLIED: &str = "CREATE TABLE __diesel_schema_migrations (
    version varchar(50) PRIMARY KEY, run_on timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP)";

pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A database of the service as it was before its newest migration.
pub async fn of_the_version_before(service: &str) -> TestDb {
    let db = testdb::database(service).await;
    let owner = connect(&db.owner_url()).await;
    let mut migrations = migrations(service);
    let newest = migrations.pop().unwrap();
    let down = std::fs::read_to_string(newest.join("down.sql")).unwrap();
    owner.batch_execute(&format!("BEGIN; {down}; {APPLIED}; COMMIT")).await.unwrap();
    for folder in &migrations {
        let sql = "INSERT INTO __diesel_schema_migrations (version) VALUES ($1)";
        owner.execute(sql, &[&version(folder)]).await.unwrap();
    }
    db
}

/// Brings it up to date with the service's own program (which has the service's name), as the migration Job does; the newest
/// migration, and only that, was missing.
pub async fn migrate(service: &str, variable: &str, db: &TestDb) {
    let mut command = Command::new(program(service));
    command.arg("migrate").env_clear().env("APP_ENV", "test").env(variable, db.owner_url());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let owner = connect(&db.owner_url()).await;
    let row = owner.query_one("SELECT max(version), count(*) FROM __diesel_schema_migrations", &[]).await;
    let (newest, all): (String, i64) = row.map(|row| (row.get(0), row.get(1))).unwrap();
    let migrations = migrations(service);
    assert_eq!((newest, all as usize), (version(migrations.last().unwrap()), migrations.len()));
}

/// What the next version may do to tables that are in use: each gets columns that today's programs do not know.
pub async fn expand(db: &TestDb) {
    let owner = connect(&db.owner_url()).await;
    // A partition has what its parent has.
    let tables = "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
        AND relkind IN ('r', 'p') AND NOT relispartition AND relname NOT LIKE '\\_\\_diesel%'";
    for row in owner.query(tables, &[]).await.unwrap() {
        let table: String = row.get(0);
        let sql =
            format!("ALTER TABLE {table} ADD COLUMN next_version text, ADD COLUMN next_number int DEFAULT 7");
        owner.batch_execute(&format!("SET lock_timeout = '30s'; {sql}")).await.unwrap();
    }
}

fn migrations(service: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(service);
    let entries = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// `2026-11-22-000001_jobs` is version `20261122000001`.
fn version(folder: &Path) -> String {
    let name = folder.file_name().unwrap().to_string_lossy();
    name.split('_').next().unwrap().replace('-', "")
}
