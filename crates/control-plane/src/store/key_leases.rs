//! What a key led to, for a moment.
//!
//! A key that is in use is looked up once in [`LEASE`], not for each of its requests. Nothing that was taken away is served
//! for that: whatever takes rights away commits first and answers [`RUN_OUT`] later (`Route::answers_after`), and a lease
//! counts from before its question went out. So what was found before the commit is forgotten on every replica when the
//! answer is there, and the request that begins afterwards is answered from what the database has then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use uuid::Uuid;

/// For how long what was found is believed.
pub const LEASE: Duration = Duration::from_millis(50);
/// How long after its commit a change of rights answers: longer than a lease, by more than clocks of two machines drift apart
/// in one.
pub const RUN_OUT: Duration = Duration::from_millis(75);
/// Keys that are remembered at once; the others are looked up for each request.
const MOST: usize = 10_000;

/// When a question went out, by both clocks: one stands still while a machine sleeps, the other is set by people.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked(Instant, SystemTime);

impl Asked {
    pub(super) fn now() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    fn is_fresh(&self) -> bool {
        self.0.elapsed() < LEASE && self.1.elapsed().is_ok_and(|passed| passed < LEASE)
    }
}

/// What keys led to a moment ago.
pub(super) struct KeyLeases<F>(Mutex<HashMap<Uuid, (Asked, Arc<F>)>>);

impl<F> Default for KeyLeases<F> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<F> KeyLeases<F> {
    /// What the key led to, while that is believed.
    pub(super) fn of(&self, id: Uuid) -> Option<Arc<F>> {
        let leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        leases.get(&id).filter(|(asked, _)| asked.is_fresh()).map(|(_, found)| Arc::clone(found))
    }

    /// Remembers what a question that went out then found.
    pub(super) fn put(&self, id: Uuid, asked: Asked, found: Arc<F>) {
        let mut leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if leases.len() >= MOST {
            leases.retain(|_, (asked, _)| asked.is_fresh());
        }
        if leases.len() < MOST {
            leases.insert(id, (asked, found));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_fresh_by_both_clocks_or_not_at_all() {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let long = LEASE * 20;
        assert!(Asked(now, wall).is_fresh());
        assert!(!Asked(now, wall - long).is_fresh(), "the machine slept, or somebody set the clock forward");
        assert!(!Asked(now, wall + long).is_fresh(), "somebody set the clock back");
        assert!(!Asked(now.checked_sub(long).unwrap(), wall).is_fresh());
        assert!(LEASE < RUN_OUT);
    }
}
