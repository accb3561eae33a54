use std::time::{Duration, Instant};

/// One fixed-window counter that a decision charges. Its key in Redis is `<name>:<window start in whole Unix seconds>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Everything of the key before the window's start.
    pub name: String,
    /// The length of a window, in seconds; windows begin at multiples of it since 1970.
    pub window_secs: u64,
    /// The most that may be charged in a window; none: it counts and never refuses.
    pub limit: Option<u64>,
    /// What this decision charges.
    pub cost: u64,
}

/// A time of Redis's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedisTime {
    /// Whole Unix seconds.
    pub secs: u64,
    /// Microseconds of the second.
    pub micros: u32,
}

impl RedisTime {
    /// When the present window of this length ends, in Unix seconds.
    #[must_use]
    pub fn window_end(self, window_secs: u64) -> u64 {
        let window = window_secs.max(1);
        (self.secs / window + 1) * window
    }

    /// How long until a whole second.
    #[must_use]
    pub fn until(self, secs: u64) -> Duration {
        Duration::from_secs(secs.saturating_sub(self.secs))
            .saturating_sub(Duration::from_micros(u64::from(self.micros)))
    }
}

/// What Redis decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether every counter was charged; otherwise none was.
    pub admitted: bool,
    /// What each counter holds after the decision, in the order they were asked for.
    pub used: Vec<u64>,
    /// Redis's clock at the decision.
    pub now: RedisTime,
    /// Our clock before we asked, so that what is derived from `now` ends too early rather than too late.
    pub asked_at: Instant,
    /// Whether each count can only grow until its window ends; all of them where this is empty.
    pub(super) may_fall: Vec<bool>,
}

impl Verdict {
    /// Whether the count at `index` can only grow until its window ends. On a cluster some are charged before the
    /// decision is made, and given back.
    #[must_use]
    pub fn only_grows(&self, index: usize) -> bool {
        !self.may_fall.get(index).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_end_is_the_next_multiple() {
        let at = |secs, micros| RedisTime { secs, micros };
        assert_eq!(at(120, 0).window_end(60), 180);
        assert_eq!(at(179, 999_999).window_end(60), 180);
        assert_eq!(at(179, 999_999).until(180), Duration::from_micros(1));
        assert_eq!(at(120, 0).until(180), Duration::from_secs(60));
        assert_eq!(at(7, 0).window_end(1), 8);
    }
}
