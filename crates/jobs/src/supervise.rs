//! Keeping a lease while a handler runs, and deciding when the handler must end.

use std::time::{Duration, Instant};

use mintmark_db::Conn;
use mintmark_fault::{Chain, Fault, Result};
use tokio::time::{sleep, timeout_at};

use crate::claimed::Claimed;
use crate::crew::Crew;
use crate::lease::Lease;
use crate::{metrics, store};

/// A cancelled handler may have to tell other services; this covers a call's own limit of ten seconds.
const AFTER_CANCEL: Duration = Duration::from_secs(12);
/// The process is ending: enough to return, not to go on.
const AFTER_INTERRUPT: Duration = Duration::from_secs(3);

/// Renews the lease until the handler must be dropped; returns then. Dropped itself when the handler ends first.
pub(crate) async fn supervise(crew: &Crew, claimed: &Claimed, lease: &Lease) {
    let beat = crew.lease / 6;
    let mut stop_at: Option<Instant> = None;
    let mut interrupted = false;
    loop {
        let wait = pause(beat, lease, stop_at);
        tokio::select! {
            () = sleep(wait) => {}
            () = crew.interrupt.cancelled(), if !interrupted => {
                interrupted = true;
                lease.interrupt();
                earlier(&mut stop_at, AFTER_INTERRUPT);
            }
        }
        if stop_at.is_some_and(|at| Instant::now() >= at) {
            return;
        }
        if lease.ended().is_some() {
            continue;
        }
        if !lease.is_gone() {
            heartbeat(crew, claimed, lease).await;
        }
        if lease.is_gone() {
            // Before the database's own deadline, at which another worker may begin.
            earlier(&mut stop_at, crew.lease / 6);
        } else if lease.cancel_requested() && stop_at.is_none() {
            stop_at = Some(Instant::now() + AFTER_CANCEL);
        }
    }
}

/// To the next heartbeat, or to an earlier deadline.
fn pause(beat: Duration, lease: &Lease, stop_at: Option<Instant>) -> Duration {
    let now = Instant::now();
    let mut wait = beat;
    let left = lease.deadline().saturating_duration_since(now);
    if !left.is_zero() {
        wait = wait.min(left);
    }
    stop_at.map_or(wait, |at| wait.min(at.saturating_duration_since(now)))
}

fn earlier(stop_at: &mut Option<Instant>, after: Duration) {
    let at = Instant::now() + after;
    *stop_at = Some(stop_at.map_or(at, |known| known.min(at)));
}

async fn heartbeat(crew: &Crew, claimed: &Claimed, lease: &Lease) {
    // A fenced transaction holds the row's lock: nobody can take the job meanwhile, and it renews the lease itself.
    let Ok(_busy) = lease.busy.try_lock() else { return };
    let sent = Instant::now();
    match renew(crew, claimed, lease.deadline()).await {
        Ok(Some(cancel)) => {
            lease.renew(sent);
            if cancel && !lease.cancel_requested() {
                tracing::info!("the job is asked to stop");
                lease.ask_to_cancel();
            }
        }
        Ok(None) => lose(claimed, lease, "another worker has the job"),
        Err(error) if Instant::now() < lease.deadline() => {
            tracing::warn!(error = %Chain(&error), "a heartbeat failed");
        }
        Err(_) => lose(claimed, lease, "half the lease has passed without a renewal"),
    }
}

async fn renew(crew: &Crew, claimed: &Claimed, deadline: Instant) -> Result<Option<bool>> {
    let late = || Fault::unavailable("DATABASE_TIMEOUT", "the database took too long: try again shortly");
    let connected = timeout_at(deadline.into(), crew.pool.get()).await;
    let mut conn = connected.map_err(|_| late())??;
    let statement = store::renew(&mut conn, claimed.id, claimed.fence, crew.lease);
    match timeout_at(deadline.into(), statement).await {
        Ok(renewed) => renewed,
        Err(_) => {
            // The statement is still under way: the connection must not go back to others with it.
            drop(Conn::take(conn));
            Err(late())
        }
    }
}

fn lose(claimed: &Claimed, lease: &Lease, why: &'static str) {
    tracing::warn!(why, "the lease is lost");
    metrics::lease_lost(claimed.kind);
    lease.lose();
}
