//! What a worker knows about its own claim, by its own monotonic clock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use mintmark_fault::{Fault, Result};
use tokio_util::sync::CancellationToken;

use crate::settle::Outcome;

/// The worker's side of one claim.
pub(crate) struct Lease {
    length: Duration,
    /// Taken before the statement that renewed was sent, so the database's own deadline is never earlier than ours.
    renewed: Mutex<Instant>,
    /// Held through a fenced transaction: its row lock protects the claim, a heartbeat would only wait for it.
    pub(crate) busy: tokio::sync::Mutex<()>,
    gone: AtomicBool,
    ended: OnceLock<Outcome>,
    cancel: AtomicBool,
    lost: CancellationToken,
}

impl Lease {
    pub(crate) fn new(length: Duration, claimed_at: Instant) -> Self {
        Self {
            length,
            renewed: Mutex::new(claimed_at),
            busy: tokio::sync::Mutex::default(),
            gone: AtomicBool::new(false),
            ended: OnceLock::new(),
            cancel: AtomicBool::new(false),
            lost: CancellationToken::new(),
        }
    }

    pub(crate) fn length(&self) -> Duration {
        self.length
    }

    /// Until when the worker believes in its claim: half the lease after the last renewal.
    pub(crate) fn deadline(&self) -> Instant {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) + self.length / 2
    }

    /// A renewal that was sent at `sent` has succeeded.
    pub(crate) fn renew(&self, sent: Instant) {
        let mut renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        *renewed = sent.max(*renewed);
    }

    /// The claim is somebody else's, or may be.
    pub(crate) fn lose(&self) {
        self.gone.store(true, Ordering::Release);
        self.lost.cancel();
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Somebody asked to cancel the job.
    pub(crate) fn ask_to_cancel(&self) {
        self.cancel.store(true, Ordering::Release);
        self.lost.cancel();
    }

    pub(crate) fn cancel_requested(&self) -> bool {
        self.cancel.load(Ordering::Acquire)
    }

    /// The process is about to end.
    pub(crate) fn interrupt(&self) {
        self.lost.cancel();
    }

    /// The handler itself has ended the job.
    pub(crate) fn end(&self, outcome: Outcome) {
        // A job ends once: the row's state refuses a second end.
        let _first = self.ended.set(outcome);
    }

    /// How the handler itself has ended the job, if it has.
    pub(crate) fn ended(&self) -> Option<Outcome> {
        self.ended.get().copied()
    }

    pub(crate) fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Refuses work on a claim that is known to be over.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_gone() || self.ended().is_some() { Err(stale()) } else { Ok(()) }
    }
}

/// 409 `STALE_LEASE`.
pub(crate) fn stale() -> Fault {
    Fault::conflict("STALE_LEASE", "this claim of the job is over: another worker has it, or it has ended")
}
