//! How jobs end when they do not end well.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use mintmark_auth::Actor;
use mintmark_fault::{Fault, Result};
use mintmark_ids::TenantId;
use mintmark_jobs::{JobContext, JobFailure, JobState, dead_letters, replay};

use crate::kinds::{Echo, EchoPayload};
use crate::{Bench, Working, leave};

const LEASE: Duration = Duration::from_secs(30);

fn busy() -> JobFailure {
    JobFailure::Retry(Fault::unavailable("BUSY", "busy"))
}

async fn bury(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    actor: Actor,
    payload: EchoPayload,
    reason: Fault,
) -> Result<()> {
    leave(conn, &format!("{tenant} {actor} {} {}", payload.note, reason.code())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_until_attempts_are_used_up_makes_a_dead_letter() {
    let bench = Bench::new().await;
    let runs = Arc::new(AtomicU32::new(0));
    let worker = bench.worker(LEASE).on_dead::<Echo, _>(bury).handle::<Echo, _, _>({
        let runs = runs.clone();
        move |_, _| {
            let runs = runs.clone();
            async move {
                runs.fetch_add(1, Ordering::SeqCst);
                Err(busy())
            }
        }
    });
    let working = Working::start(worker);
    let job = bench.enqueue("x").await;
    let status = bench.until(job, JobState::Dead).await;
    assert_eq!((status.attempt, runs.load(Ordering::SeqCst)), (3, 3));
    assert_eq!(status.last_error.as_deref(), Some("BUSY: busy"));
    let told = "SELECT count(*) AS n FROM effect WHERE note = 'acme control-token x BUSY'";
    assert_eq!(bench.number(told).await, 1);
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_pauses_longer_each_time() {
    let bench = Bench::new().await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let worker = bench.worker(LEASE).backoff(Duration::from_millis(400)).handle::<Echo, _, _>(move |_, _| {
        let tell = tell.clone();
        async move {
            tell.send(std::time::Instant::now()).unwrap();
            Err(busy())
        }
    });
    let working = Working::start(worker);
    bench.enqueue("x").await;
    let mut at = Vec::new();
    for _ in 0..3 {
        at.push(tokio::time::timeout(Duration::from_secs(20), told.recv()).await.unwrap().unwrap());
    }
    // Half to all of 400 ms, then of 800 ms.
    assert!(at[1] - at[0] >= Duration::from_millis(195), "{:?}", at[1] - at[0]);
    assert!(at[2] - at[1] >= Duration::from_millis(395), "{:?}", at[2] - at[1]);
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fatal_failure_is_not_tried_again() {
    let bench = Bench::new().await;
    let worker = bench
        .worker(LEASE)
        .handle::<Echo, _, _>(|_, _| async { Err(Fault::conflict("NEVER", "never").into()) });
    let working = Working::start(worker);
    let job = bench.enqueue("x").await;
    assert_eq!(bench.until(job, JobState::Dead).await.attempt, 1);
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn panic_counts_as_a_failed_attempt() {
    let bench = Bench::new().await;
    let runs = Arc::new(AtomicU32::new(0));
    let worker = bench.worker(LEASE).handle::<Echo, _, _>({
        let runs = runs.clone();
        move |_, _| {
            let first = runs.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                assert!(!first, "the first attempt panics");
                Ok(())
            }
        }
    });
    let working = Working::start(worker);
    let job = bench.enqueue("x").await;
    let status = bench.until(job, JobState::Succeeded).await;
    assert_eq!(status.attempt, 2);
    assert!(!status.last_error.unwrap().contains("panics"), "internal text stays in the log");
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_starts_the_count_anew() {
    let bench = Bench::new().await;
    let runs = Arc::new(AtomicU32::new(0));
    let worker = bench.worker(LEASE).handle::<Echo, _, _>({
        let runs = runs.clone();
        move |ctx: Arc<JobContext<Echo>>, _| {
            let run = runs.fetch_add(1, Ordering::SeqCst) + 1;
            async move {
                // Six attempts with progress, then three without.
                ctx.progress(u64::from(run.min(6)), 10).await?;
                Err(busy())
            }
        }
    });
    let working = Working::start(worker);
    let job = bench.enqueue("x").await;
    let status = bench.until(job, JobState::Dead).await;
    assert_eq!((status.done, status.total), (6, 10));
    // The sixth was the first without a further one: two more were left.
    assert_eq!(runs.load(Ordering::SeqCst), 8);
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replay_runs_a_dead_letter_once() {
    let bench = Bench::new().await;
    let healed = Arc::new(AtomicU32::new(0));
    let worker = bench.worker(LEASE).handle::<Echo, _, _>({
        let healed = healed.clone();
        move |ctx: Arc<JobContext<Echo>>, payload: EchoPayload| {
            let healed = healed.clone();
            async move {
                if healed.load(Ordering::SeqCst) == 0 {
                    return Err(JobFailure::Fatal(Fault::conflict("SICK", "sick")));
                }
                Ok(ctx.complete("test", async |conn| leave(conn, &payload.note).await).await?)
            }
        }
    });
    let working = Working::start(worker);
    let job = bench.enqueue("x").await;
    bench.until(job, JobState::Dead).await;
    let mut conn = bench.pool.get().await.unwrap();
    let letters = dead_letters(&mut conn, 10, None).await.unwrap();
    assert_eq!((letters.len(), letters[0].job, letters[0].kind.as_str()), (1, job, "echo"));
    assert_eq!(letters[0].last_error.as_deref(), Some("SICK: sick"));
    assert!(dead_letters(&mut conn, 10, Some(job)).await.unwrap().is_empty());

    healed.store(1, Ordering::SeqCst);
    let mut other = bench.pool.get().await.unwrap();
    let (one, two) = tokio::join!(replay(&mut conn, job), replay(&mut other, job));
    let refused: Vec<Fault> = [one, two].into_iter().filter_map(Result::err).collect();
    assert_eq!((refused.len(), refused[0].code()), (1, "JOB_NOT_DEAD"));
    bench.until(job, JobState::Succeeded).await;
    assert_eq!(bench.effects().await, 1);
    assert!(dead_letters(&mut conn, 10, None).await.unwrap().is_empty());
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_lost_in_the_last_attempt_makes_a_dead_letter() {
    let bench = Bench::new().await;
    let job = bench.enqueue("x").await;
    bench
        .superuser(
            "UPDATE jobs SET state = 'running', attempts = 3, fence = 3, lease_until = clock_timestamp() - interval '1 second'",
        )
        .await;
    let worker = bench.worker(LEASE).on_dead::<Echo, _>(bury).handle::<Echo, _, _>(|_, _| async { Ok(()) });
    let working = Working::start(worker);
    let status = bench.until(job, JobState::Dead).await;
    assert!(status.last_error.unwrap().starts_with("WORKER_LOST"));
    assert_eq!(bench.effects().await, 1);
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payload_that_cannot_be_read_makes_a_dead_letter() {
    let bench = Bench::new().await;
    let worker = bench.worker(LEASE).on_dead::<Echo, _>(bury).handle::<Echo, _, _>(|_, _| async { Ok(()) });
    let job = bench.enqueue("x").await;
    bench.superuser("UPDATE jobs SET payload = '{\"other\": 1}'").await;
    let working = Working::start(worker);
    let status = bench.until(job, JobState::Dead).await;
    assert!(status.last_error.unwrap().starts_with("JOB_UNREADABLE"));
    working.stop().await;
}
