//! Whether the last decision failed: a Redis that is there and refuses, or is silent, counts nothing either.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::link::Away;

/// For how long a failure is believed that nothing was decided after.
const BELIEVED: Duration = Duration::from_secs(60);
/// No failure.
const NONE: u64 = u64::MAX;

/// When a decision failed that none succeeded after.
pub(super) struct Failing {
    made: Instant,
    /// Milliseconds since `made`.
    at: AtomicU64,
    /// Whether Redis answered, and would not charge: one that is out of memory still says which buckets are full.
    would_not_charge: AtomicBool,
}

impl Failing {
    pub(super) fn new() -> Self {
        Self { made: Instant::now(), at: AtomicU64::new(NONE), would_not_charge: AtomicBool::new(false) }
    }

    pub(super) fn failed(&self, why: &Away) {
        self.would_not_charge.store(matches!(why, Away::Refused(_)), Ordering::Relaxed);
        // A process does not live for 2^64 milliseconds.
        let now = u64::try_from(self.made.elapsed().as_millis()).unwrap_or_default();
        self.at.store(now, Ordering::Relaxed);
    }

    pub(super) fn decided(&self, admitted: bool) {
        // Read first: written for each decision, it would travel between the processors' caches.
        if self.at.load(Ordering::Relaxed) != NONE
            && (admitted || !self.would_not_charge.load(Ordering::Relaxed))
        {
            self.at.store(NONE, Ordering::Relaxed);
        }
    }

    pub(super) fn is_so(&self) -> bool {
        let at = self.at.load(Ordering::Relaxed);
        at != NONE && self.made.elapsed().saturating_sub(Duration::from_millis(at)) < BELIEVED
    }
}

#[cfg(test)]
mod tests {
    use redis::{ErrorKind, RedisError, ServerErrorKind};

    use super::*;

    #[test]
    fn decided_is_believed_when_it_shows_that_redis_counts_again() {
        let failing = Failing::new();
        assert!(!failing.is_so());
        failing.failed(&Away::TimedOut);
        assert!(failing.is_so());
        failing.decided(false);
        assert!(!failing.is_so(), "any answer ends a silence");
        let error: RedisError = (ErrorKind::Server(ServerErrorKind::ResponseError), "OOM").into();
        failing.failed(&Away::Refused(error));
        failing.decided(false);
        assert!(failing.is_so(), "a full bucket is known without charging anything");
        failing.decided(true);
        assert!(!failing.is_so());
    }
}
