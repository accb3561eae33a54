//! A breaker: after some failures in a row, calls are not even tried for a moment.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row that open it: one slow answer is not an outage.
const FAILURES: u32 = 5;
/// How long it stays open before one call is let through to look: well below the second in which callers must recover.
const OPEN_FOR: Duration = Duration::from_millis(250);

#[derive(Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Default)]
struct State {
    failures: u32,
    /// While open: when the next call may look whether the other side is back.
    look_at: Option<Instant>,
}

impl Breaker {
    /// Whether a call may be tried now. While open, one call each quarter of a second may.
    pub(crate) fn lets_through(&self) -> bool {
        self.lets_through_at(Instant::now())
    }

    fn lets_through_at(&self, now: Instant) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.look_at {
            None => true,
            Some(at) if now < at => false,
            Some(_) => {
                // The others go on being refused until this one has come back, or never does.
                state.look_at = Some(now + OPEN_FOR);
                true
            }
        }
    }

    /// The other side answered: whatever it said, it is there. True when this was the answer that closed the breaker.
    pub(crate) fn answered(&self) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let closes = state.look_at.is_some();
        *state = State::default();
        closes
    }

    /// The other side is away. True when this was the failure that opened the breaker.
    pub(crate) fn failed(&self) -> bool {
        self.failed_at(Instant::now())
    }

    fn failed_at(&self, now: Instant) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures = state.failures.saturating_add(1);
        let opens = state.look_at.is_none() && state.failures >= FAILURES;
        if opens {
            state.look_at = Some(now + OPEN_FOR);
        }
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaker_opens_after_failures_in_a_row_and_lets_one_call_look() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for _ in 0..FAILURES - 1 {
            assert!(!breaker.failed_at(start));
        }
        assert!(!breaker.answered(), "it was not open");
        for _ in 0..FAILURES - 1 {
            assert!(!breaker.failed_at(start));
        }
        assert!(breaker.lets_through_at(start));
        assert!(breaker.failed_at(start), "the fifth in a row");
        assert!(!breaker.failed_at(start), "open already");
        assert!(!breaker.lets_through_at(start + OPEN_FOR / 2));
        let later = start + OPEN_FOR;
        assert!(breaker.lets_through_at(later), "one looks");
        assert!(!breaker.lets_through_at(later), "the others do not");
        assert!(breaker.answered());
        assert!(breaker.lets_through_at(later));
    }
}
