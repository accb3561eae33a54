//! The pool.

use std::time::{Duration, Instant};

use diesel_async::RunQueryDsl;
use mintmark_db::{DbConfig, Meaning, Pool};
use mintmark_devstack::{PostgresOptions, PostgresServer};
use mintmark_fault::{Fault, Kind};
use mintmark_service::{Health, Shutdown};
use tokio::runtime::Handle;

use crate::{as_superuser, fresh, number, run};

#[test]
fn get_from_another_runtime_is_driven_at_home() {
    let home = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (_db, pool) = home.block_on(fresh());
    // A worker as actix has them: its runtime ends, the connection that it asked for must not.
    let conn = std::thread::spawn(move || {
        let worker = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        worker.block_on(async move { pool.get().await.unwrap() })
    })
    .join()
    .unwrap();
    let mut conn = conn;
    let two = home.block_on(async { number(&mut conn, "SELECT 2::bigint AS n").await });
    assert_eq!(two, 2);
}

#[tokio::test]
async fn get_from_an_absent_database_is_503_within_the_bound() {
    let config = DbConfig::new("postgres://a@/b?host=/nowhere");
    let pool = Pool::new(&config, &Handle::current()).unwrap();
    let started = Instant::now();
    let fault = pool.get().await.err().unwrap();
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!((fault.kind(), fault.code()), (Kind::Unavailable, "DATABASE_UNAVAILABLE"));
    assert!(fault.retry_delay().is_some());
}

#[tokio::test]
async fn get_from_a_host_that_never_answers_is_503_within_the_bound() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let config = DbConfig::new(format!("postgres://a@127.0.0.1:{port}/b?sslmode=disable"));
    let pool = Pool::new(&config, &Handle::current()).unwrap();
    let started = Instant::now();
    assert_eq!(pool.get().await.err().unwrap().kind(), Kind::Unavailable);
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn get_from_an_exhausted_pool_is_503_within_the_bound() {
    let db = mintmark_devstack::testdb::empty().await;
    let mut config = DbConfig::new(db.owner_url());
    config.max_connections = 1;
    let pool = Pool::new(&config, &Handle::current()).unwrap();
    let held = pool.get().await.unwrap();
    assert_eq!(pool.get().await.err().unwrap().code(), "DATABASE_UNAVAILABLE");
    drop(held);
    assert!(pool.get().await.is_ok());
}

#[tokio::test]
async fn terminated_connection_is_503_and_then_replaced() {
    let (db, pool) = fresh().await;
    let mut conn = pool.get().await.unwrap();
    run(&mut conn, "SELECT 1").await.unwrap();
    as_superuser(
        &db,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .await;
    let fault = run(&mut conn, "SELECT 1").await.or_fault().unwrap_err();
    assert_eq!(fault.code(), "DATABASE_UNAVAILABLE", "{fault:?}");
    drop(conn);
    // The driver learns of it a moment after the server has gone; until then the pool may hand the same one out.
    let replaced = async {
        loop {
            let mut conn = pool.get().await.unwrap();
            match run(&mut conn, "SELECT 1").await.or_fault() {
                Ok(_) => return,
                Err(fault) => assert_eq!(fault.code(), "DATABASE_UNAVAILABLE", "{fault:?}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), replaced).await.unwrap();
}

#[tokio::test]
async fn session_has_a_statement_timeout_and_a_name() {
    let db = mintmark_devstack::testdb::empty().await;
    let mut config = DbConfig::new(db.owner_url()).named("the-app");
    config.statement_timeout = Duration::from_millis(50);
    let pool = Pool::new(&config, &Handle::current()).unwrap();
    let mut conn = pool.get().await.unwrap();
    let named = number(
        &mut conn,
        "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'the-app' AND pid = pg_backend_pid()",
    )
    .await;
    assert_eq!(named, 1);
    let fault = run(&mut conn, "SELECT pg_sleep(20)").await.or_fault().unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (Kind::Unavailable, "DATABASE_TIMEOUT"));
}

#[tokio::test]
async fn unique_violation_has_the_callers_meaning() {
    let (_db, pool) = fresh().await;
    let mut conn = pool.get().await.unwrap();
    run(&mut conn, "CREATE TABLE t (a int CONSTRAINT t_a_key UNIQUE, b int CONSTRAINT t_b_key UNIQUE)")
        .await
        .unwrap();
    run(&mut conn, "INSERT INTO t VALUES (1, 1)").await.unwrap();
    let taken = || Fault::conflict("A_TAKEN", "a is taken");
    let fault =
        run(&mut conn, "INSERT INTO t VALUES (1, 2)").await.or_conflict("t_a_key", taken).unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (Kind::Conflict, "A_TAKEN"));
    let fault =
        run(&mut conn, "INSERT INTO t VALUES (2, 1)").await.or_conflict("t_a_key", taken).unwrap_err();
    assert_eq!(fault.kind(), Kind::Internal);
    let none =
        diesel::sql_query("SELECT a::bigint AS n FROM t WHERE a = 9").get_result::<crate::Number>(&mut conn);
    let fault = none.await.map(|row| row.n).or_not_found("thing").unwrap_err();
    assert_eq!((fault.kind(), fault.message()), (Kind::NotFound, "no such thing"));
}

#[tokio::test]
async fn watch_follows_the_database() {
    let options = PostgresOptions::throwaway().unwrap();
    let server = tokio::task::spawn_blocking(|| PostgresServer::start(options)).await.unwrap().unwrap();
    let config = DbConfig::new(server.superuser_url("postgres"));
    let pool = Pool::new(&config, &Handle::current()).unwrap();
    let shutdown = Shutdown::new();
    let gate = Health::new(shutdown.clone()).gate("postgres");
    let watching = tokio::spawn(pool.watch(gate.clone(), shutdown.clone()));
    until(|| gate.is_open()).await;
    tokio::task::spawn_blocking(|| server.stop()).await.unwrap();
    until(|| !gate.is_open()).await;
    shutdown.trigger();
    watching.await.unwrap();
}

async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), waiting).await.unwrap();
}
