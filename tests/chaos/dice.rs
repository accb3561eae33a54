//! Chance that can be thrown again: everything random in a run comes from one printed seed.

use std::ops::Range;
use std::time::{Duration, SystemTime};

/// A stream of numbers (splitmix64).
pub struct Dice(u64);

impl Dice {
    /// The seed of `CHAOS_SEED`, else one of the moment. What is injected and for how long follows from it; what the
    /// processes make of it also depends on the machine.
    pub fn seed() -> u64 {
        let moment = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
        std::env::var("CHAOS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(moment)
    }

    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number of `range`, which is not empty.
    pub fn roll(&mut self, range: Range<u64>) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        range.start + (mixed ^ (mixed >> 31)) % (range.end - range.start)
    }

    /// True once in `sides`.
    pub fn once_in(&mut self, sides: u64) -> bool {
        self.roll(0..sides) == 0
    }

    pub fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.roll(range))
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(0..from.len() as u64) as usize]
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.roll(0..end as u64 + 1) as usize);
        }
    }
}
