//! Cancelling.

use std::sync::Arc;
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use mintmark_auth::Actor;
use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::{JobId, TenantId};
use mintmark_jobs::{Cancel, JobContext, JobFailure, JobState, request_cancel, status};

use crate::kinds::{Echo, EchoPayload};
use crate::{Bench, Working, leave};

/// A cancellation is seen with the next heartbeat: a sixth of this.
const LEASE: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_a_waiting_job_ends_it() {
    let bench = Bench::new().await;
    let job = bench.enqueue("x").await;
    let mut conn = bench.pool.get().await.unwrap();
    assert_eq!(request_cancel(&mut conn, job).await.unwrap(), Cancel::Cancelled);
    assert_eq!(request_cancel(&mut conn, job).await.unwrap(), Cancel::Finished);
    assert_eq!(bench.status(job).await.state, JobState::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_a_running_job_lets_it_tidy_up() {
    let bench = Bench::new().await;
    let worker = bench.worker(LEASE).handle::<Echo, _, _>(|ctx: Arc<JobContext<Echo>>, _| async move {
        ctx.lost().cancelled().await;
        assert!(ctx.cancel_requested());
        Ok(ctx.complete_cancelled("test", async |conn| leave(conn, "tidy").await).await?)
    });
    let working = Working::start(worker);
    let job = bench.enqueue("x").await;
    bench.until(job, JobState::Running).await;
    let mut conn = bench.pool.get().await.unwrap();
    assert_eq!(request_cancel(&mut conn, job).await.unwrap(), Cancel::Requested);
    bench.until(job, JobState::Cancelled).await;
    assert_eq!(bench.effects().await, 1);
    working.stop().await;
}

async fn cancelled(
    conn: &mut AsyncPgConnection,
    _: TenantId,
    _: Actor,
    payload: EchoPayload,
    _: Fault,
) -> Result<()> {
    leave(conn, &payload.note).await
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_a_job_that_then_fails_is_no_dead_letter() {
    let bench = Bench::new().await;
    let worker = bench.worker(LEASE).on_cancelled::<Echo, _>(cancelled).handle::<Echo, _, _>(
        |ctx: Arc<JobContext<Echo>>, _| async move {
            ctx.lost().cancelled().await;
            Err(JobFailure::Retry(Fault::unavailable("STOPPED", "stopped")))
        },
    );
    let working = Working::start(worker);
    let job = bench.enqueue("x").await;
    bench.until(job, JobState::Running).await;
    request_cancel(&mut bench.pool.get().await.unwrap(), job).await.unwrap();
    bench.until(job, JobState::Cancelled).await;
    assert_eq!(bench.effects().await, 1);
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_an_unknown_job_is_404() {
    let bench = Bench::new().await;
    let mut conn = bench.pool.get().await.unwrap();
    let job = JobId::new();
    assert_eq!(request_cancel(&mut conn, job).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(status(&mut conn, job).await.unwrap_err().kind(), Kind::NotFound);
}
