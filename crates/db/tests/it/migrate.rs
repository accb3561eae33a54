//! Migrations.

use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use mintmark_db::{DbConfig, migrate};

use crate::{fresh, run};

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
