//! The cache before the directory. It holds only what cannot become wrong: where a code stands, and since when it is
//! activated or recalled. That a code is absent can become wrong, so such an entry dies when the change counter moves;
//! and absent codes have a part of their own, so that a flood of made-up ones drives no real one out.

mod clock;

use self::clock::Clock;
use super::geo::Country;

/// One entry in so many may say that a code is absent.
const ABSENT_ONE_IN: usize = 16;

/// Where a code stands in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The publication's number.
    pub publication: i32,
    /// The unit's serial number.
    pub serial: i64,
    /// Microseconds since 1970 UTC; `None` while no activation is known here.
    pub activated_at: Option<i64>,
    /// Where that was, if it is known.
    pub country: Option<Country>,
    /// The same for a recall of this code alone; whether it is recalled is for the state to say.
    pub recalled_at: Option<i64>,
}

/// A bounded map from stored hashes to placements, shared by all workers.
pub struct CodeCache {
    placed: Clock<Placement>,
    /// The change counter at which a code was absent.
    absent: Clock<i64>,
}

impl CodeCache {
    /// A cache of at most so many entries (about 150 bytes each).
    pub fn new(entries: u64) -> Self {
        let entries = usize::try_from(entries).unwrap_or(usize::MAX);
        let absent = entries / ABSENT_ONE_IN;
        CodeCache { placed: Clock::new(entries - absent), absent: Clock::new(absent) }
    }

    /// `None`: ask the directory. `Some(None)`: known to be absent at this very counter.
    pub fn get(&self, hash: u128, counter: i64) -> Option<Option<Placement>> {
        if let Some(placement) = self.placed.get(hash) {
            return Some(Some(placement));
        }
        (self.absent.get(hash)? == counter).then_some(None)
    }

    /// Remembers a placement, or the activation of one.
    pub fn placed(&self, hash: u128, placement: Placement) {
        self.placed.put(hash, placement);
    }

    /// Remembers that a code is absent; `counter` was read before the directory was asked.
    pub fn absent(&self, hash: u128, counter: i64) {
        self.absent.put(hash, counter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACEMENT: Placement =
        Placement { publication: 1, serial: 2, activated_at: None, country: None, recalled_at: None };

    #[test]
    fn get_forgets_absence_when_the_counter_moves() {
        let cache = CodeCache::new(32);
        assert_eq!(cache.get(1, 5), None);
        cache.absent(1, 5);
        assert_eq!(cache.get(1, 5), Some(None));
        assert_eq!(cache.get(1, 6), None);
    }

    #[test]
    fn get_keeps_a_placement_whatever_the_counter() {
        let cache = CodeCache::new(10);
        cache.placed(1, PLACEMENT);
        assert_eq!(cache.get(1, 99), Some(Some(PLACEMENT)));
    }

    #[test]
    fn absent_codes_drive_no_placement_out() {
        let cache = CodeCache::new(1600);
        cache.placed(1, PLACEMENT);
        (2..100_000).for_each(|made_up| cache.absent(made_up, 5));
        assert_eq!(cache.get(1, 5), Some(Some(PLACEMENT)));
        cache.absent(1, 5);
        assert_eq!(cache.get(1, 5), Some(Some(PLACEMENT)), "a placement is stronger than an absence");
    }
}
