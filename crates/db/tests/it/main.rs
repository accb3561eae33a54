//! Against a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

mod listen;
mod migrate;
mod pool;
mod raw;
mod tls;
mod transaction;

use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::{DbConfig, Pool};
use mintmark_devstack::testdb::{self, TestDb};
use tokio::runtime::Handle;

/// An empty database and a pool on the test's runtime.
async fn fresh() -> (TestDb, Pool) {
    let db = testdb::empty().await;
    let pool = Pool::new(&DbConfig::new(db.owner_url()), &Handle::current()).unwrap();
    (db, pool)
}

async fn run(conn: &mut AsyncPgConnection, sql: &str) -> diesel::QueryResult<usize> {
    diesel::sql_query(sql).execute(conn).await
}

/// Runs statements as the superuser.
async fn as_superuser(db: &TestDb, sql: &str) {
    let (client, driver) = tokio_postgres::connect(&db.superuser_url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(driver);
    client.batch_execute(sql).await.unwrap();
}

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    n: i64,
}

async fn number(conn: &mut AsyncPgConnection, sql: &str) -> i64 {
    diesel::sql_query(sql).get_result::<Number>(conn).await.unwrap().n
}
