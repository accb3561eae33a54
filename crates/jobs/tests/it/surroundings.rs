//! A database that goes away, and a process that ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use mintmark_jobs::{JobContext, JobState};
use mintmark_service::telemetry;
use tokio::sync::Barrier;
use tracing::Instrument;

use crate::kinds::{Echo, EchoPayload};
use crate::{Bench, Working, leave};

const LEASE: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread")]
async fn worker_survives_the_loss_of_all_its_connections() {
    let bench = Bench::new().await;
    let meet = Arc::new(Barrier::new(2));
    let worker = bench.worker(LEASE).handle::<Echo, _, _>({
        let meet = meet.clone();
        move |ctx: Arc<JobContext<Echo>>, payload: EchoPayload| {
            let meet = meet.clone();
            async move {
                if payload.note == "during" && ctx.permit().fence() == 1 {
                    meet.wait().await;
                    meet.wait().await;
                }
                Ok(ctx.complete("test", async |conn| leave(conn, &payload.note).await).await?)
            }
        }
    });
    let working = Working::start(worker);
    let during = bench.enqueue("during").await;
    meet.wait().await;
    bench
        .superuser(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await;
    meet.wait().await;
    bench.until(during, JobState::Succeeded).await;
    let after = bench.enqueue("after").await;
    bench.until(after, JobState::Succeeded).await;
    assert_eq!(bench.effects().await, 2);
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_gives_an_interrupted_job_back_at_once() {
    let bench = Bench::new().await;
    let claimed = Arc::new(Barrier::new(2));
    // One that returns when told, one that must be dropped.
    let deaf = Arc::new(AtomicU32::new(0));
    let worker = bench.worker(Duration::from_secs(60)).handle::<Echo, _, _>({
        let (claimed, deaf) = (claimed.clone(), deaf.clone());
        move |ctx: Arc<JobContext<Echo>>, _| {
            let (claimed, deaf) = (claimed.clone(), deaf.clone());
            async move {
                claimed.wait().await;
                if deaf.fetch_add(1, Ordering::SeqCst) == 0 {
                    std::future::pending::<()>().await;
                }
                ctx.lost().cancelled().await;
                Err(mintmark_fault::Fault::unavailable("STOPPED", "stopped").into())
            }
        }
    });
    let working = Working::start(worker);
    let one = bench.enqueue("one").await;
    claimed.wait().await;
    let two = bench.enqueue("two").await;
    claimed.wait().await;
    let asked = Instant::now();
    working.stop().await;
    assert!(asked.elapsed() < Duration::from_secs(9), "{:?}", asked.elapsed());
    for job in [one, two] {
        let status = bench.status(job).await;
        assert_eq!((status.state, status.attempt), (JobState::Queued, 0));
    }
    let next = Working::start(bench.worker(LEASE).handle::<Echo, _, _>(|_, _| async { Ok(()) }));
    bench.until(one, JobState::Succeeded).await;
    bench.until(two, JobState::Succeeded).await;
    assert_eq!(bench.number("SELECT min(fence) AS n FROM jobs").await, 2);
    next.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_gives_jobs_back_before_the_process_is_cut_off() {
    let bench = Bench::new().await;
    let claimed = Arc::new(Barrier::new(2));
    let whole = Duration::from_secs(2);
    let worker = bench.worker(Duration::from_secs(60)).ends_within(whole).handle::<Echo, _, _>({
        let claimed = claimed.clone();
        move |ctx: Arc<JobContext<Echo>>, _| {
            let claimed = claimed.clone();
            async move {
                claimed.wait().await;
                ctx.lost().cancelled().await;
                Err(mintmark_fault::Fault::unavailable("STOPPED", "stopped").into())
            }
        }
    });
    let working = Working::start(worker);
    let job = bench.enqueue("long").await;
    claimed.wait().await;
    let asked = Instant::now();
    working.stop().await;
    assert!(asked.elapsed() < whole, "{:?}", asked.elapsed());
    let status = bench.status(job).await;
    assert_eq!((status.state, status.attempt), (JobState::Queued, 0), "its lease does not have to run out");
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_lets_a_quick_job_end_within_the_grace() {
    let bench = Bench::new().await;
    let claimed = Arc::new(Barrier::new(2));
    let go_on = Arc::new(tokio::sync::Notify::new());
    let worker = bench.worker(LEASE).grace(Duration::from_secs(20)).handle::<Echo, _, _>({
        let (claimed, go_on) = (claimed.clone(), go_on.clone());
        move |ctx: Arc<JobContext<Echo>>, _| {
            let (claimed, go_on) = (claimed.clone(), go_on.clone());
            async move {
                claimed.wait().await;
                go_on.notified().await;
                assert!(!ctx.lost().is_cancelled());
                Ok(())
            }
        }
    });
    let working = Working::start(worker);
    let job = bench.enqueue("x").await;
    claimed.wait().await;
    working.shutdown.trigger();
    go_on.notify_one();
    working.stop().await;
    assert_eq!(bench.status(job).await.state, JobState::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn job_goes_on_in_the_trace_that_enqueued_it_and_is_counted() {
    let filter = "off".parse().unwrap();
    let telemetry = telemetry::Telemetry::install_to("jobs-test", filter, None, std::io::sink).unwrap();
    let bench = Bench::new().await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let worker = bench.worker(LEASE).handle::<Echo, _, _>(move |_, _| {
        let tell = tell.clone();
        async move {
            tell.send(telemetry::trace_id(&tracing::Span::current())).unwrap();
            Ok(())
        }
    });
    let request = tracing::info_span!("request");
    let job = bench.enqueue("x").instrument(request.clone()).await;
    let working = Working::start(worker);
    let inside = tokio::time::timeout(Duration::from_secs(10), told.recv()).await.unwrap().unwrap();
    assert!(inside.is_some());
    assert_eq!(inside, telemetry::trace_id(&request));
    bench.until(job, JobState::Succeeded).await;
    working.stop().await;
    let text = telemetry::metrics_text();
    for metric in [
        r#"jobs_claimed_total{kind="echo"}"#,
        r#"jobs_finished_total{kind="echo",outcome="succeeded"}"#,
        r#"jobs_queue_depth{kind="echo",state="dead"}"#,
        r#"jobs_oldest_age_seconds{kind="echo"}"#,
        "db_transaction_duration_seconds_count",
    ] {
        assert!(text.contains(metric), "{metric} is missing in\n{text}");
    }
    telemetry.shutdown().await;
}
