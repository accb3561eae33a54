//! One claim, from start to end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mintmark_fault::{Chain, Fault};
use mintmark_service::telemetry;
use tokio::task::JoinError;
use tracing::Instrument;

use crate::claimed::Claimed;
use crate::crew::Crew;
use crate::lease::Lease;
use crate::settle::{Ending, Outcome, cancelled, settle};
use crate::supervise::supervise;
use crate::{JobFailure, metrics};

/// A dropped handler is gone at its next await; one that hogs its thread is left behind, and the fence holds it off.
const DROP_WITHIN: Duration = Duration::from_secs(1);

/// Runs a claimed job to its end, in a span of the trace that enqueued it.
pub(crate) async fn run(crew: Arc<Crew>, claimed: Claimed, claimed_at: Instant) {
    let span = tracing::info_span!(
        "job",
        otel.name = claimed.kind,
        otel.kind = "consumer",
        job.id = %claimed.id,
        job.kind = claimed.kind,
        job.attempt = claimed.attempt,
        job.fence = claimed.fence,
        tenant.id = %claimed.tenant,
    );
    if let Some(parent) = &claimed.trace_parent {
        telemetry::set_trace_parent(&span, parent);
    }
    attempt(&crew, &claimed, claimed_at).instrument(span).await;
}

async fn attempt(crew: &Arc<Crew>, claimed: &Claimed, claimed_at: Instant) {
    metrics::claimed(claimed.kind);
    let lease = Arc::new(Lease::new(crew.lease, claimed_at));
    let ending = match before(claimed) {
        Some(ending) => ending,
        None => work(crew, claimed, &lease).await,
    };
    let outcome = match (lease.ended(), &ending) {
        (Some(outcome), _) => outcome,
        // Work that was finished all the same may be written down: the fence decides.
        (None, Ending::Succeeded) => settle(crew, claimed, &ending).await,
        (None, _) if lease.is_gone() => Outcome::Lost,
        (None, _) => settle(crew, claimed, &ending).await,
    };
    let outcome = outcome.as_str();
    metrics::finished(claimed.kind, outcome);
    let seconds = claimed_at.elapsed().as_secs_f64();
    match &ending {
        Ending::Retry(fault) | Ending::Fatal(fault) => {
            tracing::warn!(outcome, seconds, error = %Chain(fault), "the job failed");
        }
        Ending::Succeeded | Ending::Interrupted => tracing::info!(outcome, seconds, "the job ended"),
    }
}

/// A claim that has nothing to run any more.
fn before(claimed: &Claimed) -> Option<Ending> {
    if claimed.cancel_requested {
        return Some(Ending::Fatal(cancelled()));
    }
    // Only a lost worker's last attempt is claimed once more, to be buried.
    (claimed.attempt > claimed.max_attempts).then(|| {
        Ending::Fatal(Fault::unavailable(
            "WORKER_LOST",
            "the program that worked on this ended without a word in each attempt; an operator can replay the job",
        ))
    })
}

async fn work(crew: &Arc<Crew>, claimed: &Claimed, lease: &Arc<Lease>) -> Ending {
    let Some(handler) = crew.handlers.get(claimed.kind) else {
        return Ending::Retry(Fault::internal(format!("no handler for {}", claimed.kind)));
    };
    // A task of its own: heartbeats go on while the handler computes, and a panic stays inside.
    let future = handler(claimed, Arc::clone(lease), crew.pool.clone());
    let mut task = tokio::spawn(future.in_current_span());
    tokio::select! {
        biased;
        ended = &mut task => ending(ended, crew, lease),
        () = supervise(crew, claimed, lease) => {
            task.abort();
            match tokio::time::timeout(DROP_WITHIN, &mut task).await {
                Ok(ended) => ending(ended, crew, lease),
                Err(_) => Ending::Interrupted,
            }
        }
    }
}

fn ending(ended: Result<Result<(), JobFailure>, JoinError>, crew: &Crew, lease: &Lease) -> Ending {
    match ended {
        Ok(Ok(())) => Ending::Succeeded,
        // Told to stop because the process ends: whatever it says, it was interrupted. A true refusal comes again.
        Ok(Err(_)) if crew.interrupt.is_cancelled() && !lease.cancel_requested() => Ending::Interrupted,
        Ok(Err(JobFailure::Retry(fault))) => Ending::Retry(fault),
        Ok(Err(JobFailure::Fatal(fault))) => Ending::Fatal(fault),
        Err(broken) if broken.is_panic() => Ending::Retry(panicked(broken)),
        // Dropped by us after it was told to stop.
        Err(_) if lease.cancel_requested() => Ending::Fatal(cancelled()),
        Err(_) => Ending::Interrupted,
    }
}

/// 500 with the panic's message as the private cause.
fn panicked(broken: JoinError) -> Fault {
    let payload = broken.into_panic();
    let said = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    Fault::internal(format!("the handler panicked: {said}"))
}
