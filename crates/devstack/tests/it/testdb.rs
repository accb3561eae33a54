//! Test databases.

use mintmark_devstack::testdb;
use tokio_postgres::{Client, NoTls};

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn database_two_at_once_do_not_see_each_other() {
    let (one, two) = tokio::join!(testdb::empty(), testdb::empty());
    assert_ne!(one.name(), two.name());
    let first = connect(&one.owner_url()).await;
    first.batch_execute("CREATE TABLE here (a int)").await.unwrap();
    let second = connect(&two.owner_url()).await;
    let seen = second.query_one("SELECT to_regclass('here') IS NOT NULL", &[]).await.unwrap();
    assert!(!seen.get::<_, bool>(0));
}

#[tokio::test]
async fn database_with_one_migration_has_its_table_and_owner() {
    let db = testdb::database_with_only("control-plane", "2026-11-22-000001_jobs").await;
    let client = connect(&db.url("control_app")).await;
    let owner = client
        .query_one("SELECT tableowner::text FROM pg_tables WHERE tablename = 'jobs'", &[])
        .await
        .unwrap();
    assert_eq!(owner.get::<_, String>(0), "control_owner");
}

#[tokio::test]
async fn database_dropped_is_gone() {
    let db = testdb::empty().await;
    let name = db.name().to_owned();
    let watcher = testdb::empty().await;
    let client = connect(&watcher.superuser_url()).await;
    drop(db);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let left = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await.unwrap();
        if left.is_none() {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "never dropped");
    }
}
