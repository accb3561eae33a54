//! Migrations.

use std::time::Duration;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use mintmark_db::{DbConfig, migrate};

use crate::{as_superuser, fresh, number, run};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("tests/migrations");

#[tokio::test]
async fn migrate_twice_at_once_applies_each_once() {
    let (db, pool) = fresh().await;
    let config = DbConfig::new(db.owner_url());
    let (one, two, three) = tokio::join!(
        migrate(&config, MIGRATIONS),
        migrate(&config, MIGRATIONS),
        migrate(&config, MIGRATIONS)
    );
    let mut applied = [one.unwrap(), two.unwrap(), three.unwrap()].concat();
    applied.sort();
    assert_eq!(applied, ["20260101000001", "20260101000002"]);
    run(&mut pool.get().await.unwrap(), "INSERT INTO one (id, n) VALUES (1, 2)").await.unwrap();
}

#[tokio::test]
async fn migrate_again_has_nothing_to_do() {
    let (db, _pool) = fresh().await;
    let config = DbConfig::new(db.owner_url());
    assert_eq!(migrate(&config, MIGRATIONS).await.unwrap().len(), 2);
    assert!(migrate(&config, MIGRATIONS).await.unwrap().is_empty());
}

#[tokio::test]
async fn migrate_of_an_absent_database_is_503() {
    let config = DbConfig::new("postgres://a@/b?host=/nowhere");
    assert_eq!(migrate(&config, MIGRATIONS).await.unwrap_err().code(), "DATABASE_UNAVAILABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_beside_a_long_reader_lets_everybody_else_pass() {
    let (db, pool) = fresh().await;
    let config = DbConfig::new(db.owner_url());
    migrate(&config, MIGRATIONS).await.unwrap();
    let newest = "DELETE FROM __diesel_schema_migrations WHERE version = '20260101000002'";
    as_superuser(&db, &format!("{newest}; ALTER TABLE one DROP COLUMN n")).await;

    let mut backup = pool.get().await.unwrap();
    for sql in ["BEGIN", "LOCK TABLE one IN ACCESS SHARE MODE"] {
        run(&mut backup, sql).await.unwrap();
    }
    let migrating = tokio::spawn(async move { migrate(&config, MIGRATIONS).await });
    let mut anybody = pool.get().await.unwrap();
    let waits = "SELECT count(*) AS n FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'";
    // It waits, gives way, and waits again; each time a reader behind it gets through.
    for _ in 0..3 {
        let waiting = async {
            while number(&mut anybody, waits).await == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap();
        let read = number(&mut anybody, "SELECT count(*) AS n FROM one");
        assert_eq!(tokio::time::timeout(Duration::from_secs(5), read).await, Ok(0), "behind the migration");
    }
    assert!(!migrating.is_finished());
    run(&mut backup, "COMMIT").await.unwrap();
    let applied = tokio::time::timeout(Duration::from_secs(10), migrating).await.unwrap().unwrap();
    assert_eq!(applied.unwrap(), ["20260101000002"]);
}
