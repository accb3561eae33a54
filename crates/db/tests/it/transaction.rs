//! Transactions.

use std::sync::atomic::{AtomicU32, Ordering};

use mintmark_db::{Meaning, is_contention, transaction, transaction_once};
use mintmark_fault::Fault;

use crate::{fresh, number, run};

#[tokio::test]
async fn transaction_that_fails_leaves_nothing() {
    let (_db, pool) = fresh().await;
    let mut conn = pool.get().await.unwrap();
    run(&mut conn, "CREATE TABLE t (a bigint)").await.unwrap();
    let refused = transaction("test", &mut conn, async |conn| {
        run(conn, "INSERT INTO t VALUES (1)").await.or_fault()?;
        Err::<(), _>(Fault::conflict("NO", "no"))
    });
    assert_eq!(refused.await.unwrap_err().code(), "NO");
    let label = String::from("moved");
    let kept = transaction_once("test", &mut conn, async move |conn| {
        run(conn, "INSERT INTO t VALUES (2)").await.or_fault()?;
        Ok(label)
    });
    assert_eq!(kept.await.unwrap(), "moved");
    assert_eq!(number(&mut conn, "SELECT sum(a)::bigint AS n FROM t").await, 2);
}

#[tokio::test]
async fn transaction_with_a_serialization_failure_runs_again() {
    let (_db, pool) = fresh().await;
    let mut conn = pool.get().await.unwrap();
    let rival = pool.get().await.unwrap();
    run(&mut conn, "CREATE TABLE t AS SELECT 0::bigint AS a").await.unwrap();
    let runs = AtomicU32::new(0);
    let rival = tokio::sync::Mutex::new(rival);
    transaction("test", &mut conn, async |conn| {
        run(conn, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await.or_fault()?;
        number(conn, "SELECT a AS n FROM t").await;
        if runs.fetch_add(1, Ordering::SeqCst) == 0 {
            let mut rival = rival.lock().await;
            run(&mut rival, "UPDATE t SET a = a + 10").await.or_fault()?;
        }
        run(conn, "UPDATE t SET a = a + 1").await.or_fault()
    })
    .await
    .unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert_eq!(number(&mut conn, "SELECT a AS n FROM t").await, 11);
}

#[tokio::test]
async fn transaction_that_deadlocks_runs_again() {
    let (_db, pool) = fresh().await;
    let mut conn = pool.get().await.unwrap();
    run(&mut conn, "CREATE TABLE t AS SELECT g AS id, 0 AS a FROM generate_series(1, 2) g").await.unwrap();
    let meeting = tokio::sync::Barrier::new(2);
    let first = [AtomicU32::new(0), AtomicU32::new(0)];
    let cross = async |mine: usize, sql: [&'static str; 2]| {
        let mut conn = pool.get().await.unwrap();
        transaction("test", &mut conn, async |conn| {
            run(conn, sql[0]).await.or_fault()?;
            if first[mine].fetch_add(1, Ordering::SeqCst) == 0 {
                meeting.wait().await;
            }
            run(conn, sql[1]).await.or_fault()
        })
        .await
    };
    let one = "UPDATE t SET a = a + 1 WHERE id = 1";
    let two = "UPDATE t SET a = a + 1 WHERE id = 2";
    let (a, b) = tokio::join!(cross(0, [one, two]), cross(1, [two, one]));
    a.unwrap();
    b.unwrap();
    assert_eq!(number(&mut conn, "SELECT sum(a)::bigint AS n FROM t").await, 4);
    assert_eq!(first[0].load(Ordering::SeqCst) + first[1].load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn transaction_that_always_collides_gives_up_with_503() {
    let (_db, pool) = fresh().await;
    let mut conn = pool.get().await.unwrap();
    let runs = AtomicU32::new(0);
    let collides = "DO $$ BEGIN RAISE SQLSTATE '40001' USING MESSAGE = 'could not serialize'; END $$";
    let fault = transaction("test", &mut conn, async |conn| {
        runs.fetch_add(1, Ordering::SeqCst);
        run(conn, collides).await.or_fault()
    })
    .await
    .unwrap_err();
    assert!(is_contention(&fault));
    assert_eq!(runs.load(Ordering::SeqCst), 5);
    assert_eq!(number(&mut conn, "SELECT 1::bigint AS n").await, 1);
}

#[tokio::test]
async fn transaction_inside_another_is_a_savepoint() {
    let (_db, pool) = fresh().await;
    let mut conn = pool.get().await.unwrap();
    run(&mut conn, "CREATE TABLE t (a bigint)").await.unwrap();
    transaction("outer", &mut conn, async |conn| {
        run(conn, "INSERT INTO t VALUES (1)").await.or_fault()?;
        let inner = transaction("inner", conn, async |conn| {
            run(conn, "INSERT INTO t VALUES (2)").await.or_fault()?;
            Err::<(), _>(Fault::conflict("NO", "no"))
        });
        assert!(inner.await.is_err());
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(number(&mut conn, "SELECT sum(a)::bigint AS n FROM t").await, 1);
}

#[tokio::test]
async fn transaction_that_is_dropped_half_way_does_not_poison_the_pool() {
    let (_db, pool) = fresh().await;
    let mut conn = pool.get().await.unwrap();
    run(&mut conn, "CREATE TABLE t (a bigint)").await.unwrap();
    let (entered, waits) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(async move {
        transaction_once("test", &mut conn, async move |conn| {
            run(conn, "INSERT INTO t VALUES (1)").await.or_fault()?;
            let _ = entered.send(());
            std::future::pending::<()>().await;
            Ok(())
        })
        .await
    });
    waits.await.unwrap();
    task.abort();
    let _ = task.await;
    let mut conn = pool.get().await.unwrap();
    assert_eq!(number(&mut conn, "SELECT count(*) AS n FROM t").await, 0);
}
