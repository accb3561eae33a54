//! Buckets that are known to be over their limit, until their window ends.
//!
//! A bucket only fills within its window, so a refusal stays right: a flood costs Redis nothing. What may pass is never
//! remembered: that changes with every request.

use std::time::Instant;

use moka::sync::Cache;

/// The bounded memory of refusals.
pub(super) struct OverLimit(Cache<Box<str>, Full>);

/// What is known of a bucket that refused, or whose twin did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full {
    /// What it holds at least.
    pub(super) used: u64,
    /// When its window ends, by our clock and never too late.
    pub(super) until: Instant,
    /// The same in Unix seconds of Redis's clock.
    pub(super) reset_at: u64,
}

impl Full {
    /// Whether that alone refuses a request of this cost at this limit.
    pub(super) fn refuses(&self, limit: u64, cost: u64) -> bool {
        self.used.saturating_add(cost) > limit
    }
}

impl OverLimit {
    pub(super) fn new(entries: u64, window: std::time::Duration) -> Self {
        Self(Cache::builder().max_capacity(entries).time_to_live(window).build())
    }

    /// What is known of `bucket` in its present window.
    pub(super) fn known(&self, bucket: &str, now: Instant) -> Option<Full> {
        self.0.get(bucket).filter(|full| now < full.until)
    }

    pub(super) fn remember(&self, bucket: &str, full: Full) {
        self.0.insert(bucket.into(), full);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn known_until_the_window_ends() {
        let (memory, start) = (OverLimit::new(10, Duration::from_secs(60)), Instant::now());
        let full = Full { used: 100, until: start + Duration::from_secs(1), reset_at: 7 };
        memory.remember("tenant:a", full);
        assert_eq!(memory.known("tenant:a", start), Some(full));
        assert!(full.refuses(100, 1));
        assert!(!full.refuses(1000, 1), "a higher tier asks Redis");
        assert!(full.refuses(1000, 901), "unless the cost is too high");
        assert_eq!(memory.known("tenant:b", start), None);
        assert_eq!(memory.known("tenant:a", full.until), None, "a new window");
    }

    #[test]
    fn remember_is_bounded() {
        let (memory, start) = (OverLimit::new(10, Duration::from_secs(60)), Instant::now());
        let full = Full { used: 1, until: start + Duration::from_secs(1), reset_at: 7 };
        for number in 0..1000 {
            memory.remember(&number.to_string(), full);
        }
        memory.0.run_pending_tasks();
        assert!(memory.0.entry_count() <= 10, "{}", memory.0.entry_count());
    }
}
