//! The cache before the directory. It holds only what cannot become wrong: where a code stands, and since when it is
//! activated or recalled. That a code is absent can become wrong, so such an entry dies when the change counter moves.

use moka::sync::Cache;

use super::geo::Country;

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

#[derive(Clone, Copy)]
enum Entry {
    Placed(Placement),
    AbsentAt(i64),
}

/// A bounded map from stored hashes to placements, shared by all workers.
pub struct CodeCache(Cache<u128, Entry>);

impl CodeCache {
    /// A cache of at most so many entries (about 100 bytes each).
    pub fn new(entries: u64) -> Self {
        CodeCache(Cache::new(entries))
    }

    /// `None`: ask the directory. `Some(None)`: known to be absent at this very counter.
    pub fn get(&self, hash: u128, counter: i64) -> Option<Option<Placement>> {
        match self.0.get(&hash)? {
            Entry::Placed(placement) => Some(Some(placement)),
            Entry::AbsentAt(then) if then == counter => Some(None),
            Entry::AbsentAt(_) => None,
        }
    }

    /// Remembers a placement, or the activation of one.
    pub fn placed(&self, hash: u128, placement: Placement) {
        self.0.insert(hash, Entry::Placed(placement));
    }

    /// Remembers that a code is absent; `counter` was read before the directory was asked.
    pub fn absent(&self, hash: u128, counter: i64) {
        self.0.insert(hash, Entry::AbsentAt(counter));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn get_forgets_absence_when_the_counter_moves() {
        let cache = CodeCache::new(10);
        assert_eq!(cache.get(1, 5), None);
        cache.absent(1, 5);
        assert_eq!(cache.get(1, 5), Some(None));
        assert_eq!(cache.get(1, 6), None);
    }

    #[test]
    fn get_keeps_a_placement_whatever_the_counter() {
        let cache = CodeCache::new(10);
        let placement =
            Placement { publication: 1, serial: 2, activated_at: None, country: None, recalled_at: None };
        cache.placed(1, placement);
        assert_eq!(cache.get(1, 99), Some(Some(placement)));
    }
}
