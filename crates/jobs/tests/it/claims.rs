//! Who gets a job, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use mintmark_auth::Actor;
use mintmark_db::{DbConfig, transaction};
use mintmark_fault::Fault;
use mintmark_jobs::{JobState, Worker, WorkerConfig, enqueue, enqueue_at};

use crate::kinds::{Echo, EchoPayload};
use crate::{Bench, Working, leave, tenant};

const LEASE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn claim_by_many_workers_runs_each_job_once() {
    let bench = Bench::new().await;
    let mut jobs = Vec::new();
    for n in 0..40 {
        jobs.push(bench.enqueue(&n.to_string()).await);
    }
    let runs = Arc::new(AtomicU32::new(0));
    let mut workers = Vec::new();
    for _ in 0..5 {
        let runs = runs.clone();
        let worker = bench.worker(LEASE).handle::<Echo, _, _>(move |ctx, payload| {
            let runs = runs.clone();
            async move {
                runs.fetch_add(1, Ordering::SeqCst);
                Ok(ctx.complete("test", async |conn| leave(conn, &payload.note).await).await?)
            }
        });
        workers.push(Working::start(worker));
    }
    for job in jobs {
        bench.until(job, JobState::Succeeded).await;
    }
    assert_eq!((runs.load(Ordering::SeqCst), bench.effects().await), (40, 40));
    assert_eq!(bench.number("SELECT max(fence) AS n FROM jobs").await, 1);
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn enqueue_wakes_a_worker_that_hardly_polls() {
    let bench = Bench::new().await;
    let config = WorkerConfig { concurrency: 1, lease: LEASE, poll: Duration::from_secs(60) };
    let worker = Worker::new(bench.pool.clone(), DbConfig::new(bench.db.url("control_app")), config)
        .handle::<Echo, _, _>(|_, _| async { Ok(()) });
    let working = Working::start(worker);
    // The first one may be found by the look at start; the second only by being told.
    let first = bench.enqueue("first").await;
    bench.until(first, JobState::Succeeded).await;
    let asked = Instant::now();
    let second = bench.enqueue("second").await;
    bench.until(second, JobState::Succeeded).await;
    assert!(asked.elapsed() < Duration::from_secs(5));

    // The connection that listens is lost: it listens again, and finds what came meanwhile.
    bench
        .superuser(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND query = 'LISTEN mintmark_jobs'",
        )
        .await;
    let third = bench.enqueue("third").await;
    bench.until(third, JobState::Succeeded).await;
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn enqueue_is_undone_with_its_transaction() {
    let bench = Bench::new().await;
    let mut conn = bench.pool.get().await.unwrap();
    let refused = transaction("test", &mut conn, async |conn| {
        let payload = EchoPayload { note: "never".into() };
        enqueue::<Echo>(conn, &tenant(), &Actor::ControlToken, &payload).await?;
        Err::<(), _>(Fault::conflict("NO", "no"))
    });
    assert!(refused.await.is_err());
    assert_eq!(bench.number("SELECT count(*) AS n FROM jobs").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn enqueue_at_waits_for_its_time() {
    let bench = Bench::new().await;
    let payload = EchoPayload { note: "later".into() };
    let mut conn = bench.pool.get().await.unwrap();
    let later = Utc::now() + TimeDelta::hours(1);
    let job = enqueue_at::<Echo>(&mut conn, &tenant(), &Actor::ControlToken, &payload, later).await.unwrap();
    let worker = bench.worker(LEASE).handle::<Echo, _, _>(|_, _| async { Ok(()) });
    let working = Working::start(worker);
    let now = bench.enqueue("now").await;
    bench.until(now, JobState::Succeeded).await;
    assert_eq!(bench.status(job).await.state, JobState::Queued);
    bench.superuser("UPDATE jobs SET run_at = clock_timestamp() WHERE state = 'queued'").await;
    bench.until(job, JobState::Succeeded).await;
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claim_by_the_application_login_cannot_delete() {
    let bench = Bench::new().await;
    let mut conn = bench.pool.get().await.unwrap();
    let refused = diesel_async::RunQueryDsl::execute(diesel::sql_query("DELETE FROM jobs"), &mut conn).await;
    assert!(refused.unwrap_err().to_string().contains("permission denied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn permit_carries_the_jobs_tenant_and_actor() {
    let bench = Bench::new().await;
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    let mut told = told;
    let worker = bench.worker(LEASE).handle::<Echo, _, _>(move |ctx, _| {
        let tell = tell.clone();
        async move {
            let permit = ctx.permit();
            let seen =
                (permit.job(), permit.tenant().clone(), *permit.actor(), permit.fence(), permit.attempt());
            tell.send(seen).unwrap();
            Ok(())
        }
    });
    let working = Working::start(worker);
    let job = bench.enqueue("who").await;
    let seen = tokio::time::timeout(Duration::from_secs(10), told.recv()).await.unwrap().unwrap();
    assert_eq!(seen, (job, tenant(), Actor::ControlToken, 1, 1));
    working.stop().await;
}
