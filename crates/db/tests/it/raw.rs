//! Raw clients.

use std::pin::pin;

use futures::SinkExt;
use mintmark_db::{DbConfig, Meaning, RawPool, connect_raw};
use mintmark_devstack::testdb;
use mintmark_fault::{Fault, Kind};
use tokio::runtime::Handle;

#[tokio::test]
async fn raw_pool_copies_and_replaces_a_closed_client() {
    let db = testdb::empty().await;
    let mut config = DbConfig::new(db.owner_url());
    config.max_connections = 1;
    let pool = RawPool::new(&config, &Handle::current()).unwrap();
    let mut client = pool.get().await.unwrap();
    client.batch_execute("CREATE TABLE t (a int CONSTRAINT t_a_key UNIQUE)").await.unwrap();
    let transaction = client.transaction().await.unwrap();
    {
        let mut sink = pin!(transaction.copy_in("COPY t FROM STDIN").await.unwrap());
        sink.send(std::io::Cursor::new(&b"1\n2\n"[..])).await.unwrap();
        assert_eq!(sink.finish().await.unwrap(), 2);
    }
    transaction.commit().await.unwrap();
    let statement = client.prepared("SELECT count(*) FROM t").await.unwrap();
    let count: i64 = client.query_one(&statement, &[]).await.unwrap().get(0);
    assert_eq!(count, 2);
    let again = client.execute("INSERT INTO t VALUES (1)", &[]).await;
    let fault = again.or_conflict("t_a_key", || Fault::conflict("TAKEN", "taken")).unwrap_err();
    assert_eq!(fault.code(), "TAKEN");

    crate::as_superuser(
        &db,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .await;
    let fault = client.query_one("SELECT 1", &[]).await.or_fault().unwrap_err();
    assert_eq!(fault.code(), "DATABASE_UNAVAILABLE", "{fault:?}");
    drop(client);
    let replaced = async {
        // Until its driver has learned of it, the pool may hand the same client out.
        while pool.get().await.unwrap().query_one("SELECT 1", &[]).await.is_err() {}
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), replaced).await.unwrap();
}

#[tokio::test]
async fn raw_query_one_without_a_row_is_404() {
    let db = testdb::empty().await;
    let client = connect_raw(&DbConfig::new(db.owner_url()), &Handle::current()).await.unwrap();
    let fault = client.query_one("SELECT 1 WHERE false", &[]).await.or_not_found("thing").unwrap_err();
    assert_eq!(fault.kind(), Kind::NotFound);
}
