//! A worker that was replaced changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mintmark_fault::Fault;
use mintmark_jobs::{JobContext, JobFailure, JobState};
use tokio::sync::{Barrier, Notify};

use crate::kinds::{Echo, EchoPayload};
use crate::{Bench, Working, leave};

const LEASE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn fenced_with_a_stale_fence_is_refused_inside_the_transaction() {
    let bench = Bench::new().await;
    let (claimed, go_on) = (Arc::new(Barrier::new(2)), Arc::new(Notify::new()));
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    // One hand, so that it cannot take the job a second time itself.
    let first = bench.worker_of(1, LEASE).handle::<Echo, _, _>({
        let (claimed, go_on) = (claimed.clone(), go_on.clone());
        move |ctx: Arc<JobContext<Echo>>, _| {
            let (claimed, go_on, tell) = (claimed.clone(), go_on.clone(), tell.clone());
            async move {
                claimed.wait().await;
                go_on.notified().await;
                let fenced = ctx.fenced("test", async |conn| leave(conn, "stale").await).await;
                let progress = ctx.progress(1, 2).await;
                let complete = ctx.complete("test", async |conn| leave(conn, "stale").await).await;
                for refused in [fenced, progress, complete] {
                    tell.send(refused.unwrap_err().code().to_owned()).unwrap();
                }
                tell.send(ctx.lost().is_cancelled().to_string()).unwrap();
                Ok(())
            }
        }
    });
    let first = Working::start(first);
    let job = bench.enqueue("x").await;
    claimed.wait().await;
    bench.expire_leases().await;
    let second = bench.worker(LEASE).handle::<Echo, _, _>(|ctx: Arc<JobContext<Echo>>, _| async move {
        assert_eq!(ctx.permit().fence(), 2);
        Ok(ctx.complete("test", async |conn| leave(conn, "fresh").await).await?)
    });
    let second = Working::start(second);
    bench.until(job, JobState::Succeeded).await;
    go_on.notify_one();
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(tokio::time::timeout(Duration::from_secs(10), told.recv()).await.unwrap().unwrap());
    }
    assert_eq!(codes, ["STALE_LEASE", "STALE_LEASE", "STALE_LEASE", "true"]);
    assert_eq!(bench.effects().await, 1);
    assert_eq!(bench.number("SELECT count(*) AS n FROM effect WHERE note = 'fresh'").await, 1);
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fenced_transaction_holds_the_job_against_other_workers() {
    let bench = Bench::new().await;
    let inside = Arc::new(Barrier::new(2));
    let go_on = Arc::new(Notify::new());
    // One hand, which is in the transaction: the other job is for the second worker.
    let first = bench.worker_of(1, LEASE).handle::<Echo, _, _>({
        let (inside, go_on) = (inside.clone(), go_on.clone());
        move |ctx: Arc<JobContext<Echo>>, _| {
            let (inside, go_on) = (inside.clone(), go_on.clone());
            async move {
                ctx.complete("test", async |conn| {
                    // Its lease runs out while it is in here; nobody may take the job all the same.
                    diesel_async::RunQueryDsl::execute(
                        diesel::sql_query(
                            "UPDATE jobs SET lease_until = clock_timestamp() - interval '1 hour'",
                        ),
                        conn,
                    )
                    .await
                    .map_err(mintmark_db::fault)?;
                    leave(conn, "first").await?;
                    inside.wait().await;
                    go_on.notified().await;
                    Ok(())
                })
                .await?;
                Ok(())
            }
        }
    });
    let first = Working::start(first);
    let job = bench.enqueue("x").await;
    inside.wait().await;
    let second = bench.worker(LEASE).handle::<Echo, _, _>(|_, _| async { Ok(()) });
    let second = Working::start(second);
    let other = bench.enqueue("other").await;
    bench.until(other, JobState::Succeeded).await;
    go_on.notify_one();
    bench.until(job, JobState::Succeeded).await;
    assert_eq!(bench.number("SELECT max(fence) AS n FROM jobs").await, 1);
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn complete_is_one_with_the_closures_rows() {
    let bench = Bench::new().await;
    let tries = Arc::new(AtomicU32::new(0));
    let worker = bench.worker(LEASE).handle::<Echo, _, _>({
        let tries = tries.clone();
        move |ctx: Arc<JobContext<Echo>>, payload: EchoPayload| {
            let tries = tries.clone();
            async move {
                let first = tries.fetch_add(1, Ordering::SeqCst) == 0;
                ctx.complete("test", async |conn| {
                    leave(conn, &payload.note).await?;
                    if first { Err(Fault::unavailable("NOT_YET", "not yet")) } else { Ok(()) }
                })
                .await
                .map_err(JobFailure::from)
            }
        }
    });
    let working = Working::start(worker);
    let job = bench.enqueue("x").await;
    bench.until(job, JobState::Succeeded).await;
    assert_eq!((tries.load(Ordering::SeqCst), bench.effects().await), (2, 1));
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_keep_a_job_longer_than_its_lease() {
    let bench = Bench::new().await;
    let lease = Duration::from_secs(4);
    let handler = |ctx: Arc<JobContext<Echo>>, _| async move {
        // Longer than the lease; ends at once if the lease is lost.
        tokio::select! {
            () = ctx.lost().cancelled_owned() => Err(JobFailure::Fatal(Fault::conflict("LOST", "lost"))),
            () = tokio::time::sleep(Duration::from_secs(6)) => Ok(()),
        }
    };
    let one = Working::start(bench.worker(lease).handle::<Echo, _, _>(handler));
    let two = Working::start(bench.worker(lease).handle::<Echo, _, _>(handler));
    let job = bench.enqueue("long").await;
    bench.until(job, JobState::Succeeded).await;
    assert_eq!(bench.number("SELECT fence AS n FROM jobs").await, 1);
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_without_renewals_stops_itself_before_its_lease_ends() {
    let bench = Bench::new().await;
    let lease = Duration::from_secs(3);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let worker = bench.worker(lease).handle::<Echo, _, _>(move |ctx: Arc<JobContext<Echo>>, _| {
        let tell = tell.clone();
        async move {
            let claimed = std::time::Instant::now();
            tell.send(Duration::ZERO).unwrap();
            ctx.lost().cancelled().await;
            tell.send(claimed.elapsed()).unwrap();
            std::future::pending::<()>().await;
            Ok(())
        }
    });
    let working = Working::start(worker);
    bench.enqueue("x").await;
    told.recv().await.unwrap();
    // Heartbeats fail from here on: the row is locked by somebody else.
    let (client, driver) =
        tokio_postgres::connect(&bench.db.superuser_url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(driver);
    client.batch_execute("BEGIN; SELECT 1 FROM jobs FOR UPDATE").await.unwrap();
    let after = tokio::time::timeout(Duration::from_secs(10), told.recv()).await.unwrap().unwrap();
    assert!(after < lease, "stopped after {after:?}");
    drop(client);
    working.stop().await;
}
