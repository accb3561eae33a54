//! A bounded map that forgets what was not asked for lately (the second-chance, or clock, algorithm), cut into shards.
//!
//! A hit is a short lock, a look into a table and a mark: no queue that somebody has to work off, and no allocation.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, so that two workers seldom want the same one.
const SHARDS: usize = 64;

/// The map. Keys are hashes of their own.
pub(super) struct Clock<V> {
    shards: Box<[Mutex<Shard<V>>]>,
}

struct Shard<V> {
    capacity: usize,
    places: HashMap<u128, u32, BuildHasherDefault<OwnBits>>,
    slots: Vec<Slot<V>>,
    /// Who is looked at next when one has to go.
    hand: usize,
}

struct Slot<V> {
    key: u128,
    value: V,
    /// Asked for since the hand was here last.
    asked_for: bool,
}

/// The keys are HMACs under a pepper that no visitor knows: their bits are as evenly spread as those of a hash of them,
/// and nobody can choose codes whose bits collide.
#[derive(Default)]
pub(super) struct OwnBits(u64);

impl Hasher for OwnBits {
    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        // Keys are numbers; anything else is folded in all the same.
        self.0 = bytes.iter().fold(self.0, |so_far, byte| so_far.rotate_left(8) ^ u64::from(*byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl<V: Copy> Clock<V> {
    /// A map of at most so many entries, which takes memory as it fills.
    pub(super) fn new(capacity: usize) -> Self {
        let shards = SHARDS.min(capacity).max(1);
        // The first ones take what does not divide.
        let capacity_of = |shard: usize| capacity / shards + usize::from(shard < capacity % shards);
        Clock { shards: (0..shards).map(|shard| Mutex::new(Shard::new(capacity_of(shard)))).collect() }
    }

    /// What is remembered for a key.
    pub(super) fn get(&self, key: u128) -> Option<V> {
        let mut shard = self.shard(key);
        let place = *shard.places.get(&key)? as usize;
        let slot = shard.slots.get_mut(place)?;
        slot.asked_for = true;
        Some(slot.value)
    }

    /// Remembers a value, in place of the one before or of whatever was not asked for lately.
    pub(super) fn put(&self, key: u128, value: V) {
        self.shard(key).put(key, value);
    }

    fn shard(&self, key: u128) -> MutexGuard<'_, Shard<V>> {
        // Of the upper half: the lower one finds the place in the shard's table.
        let shard = (key >> 64) as usize % self.shards.len();
        // Whoever panicked under this lock left a whole entry, or none.
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Shard<V> {
    fn new(capacity: usize) -> Self {
        // A place is a u32.
        let capacity = capacity.min(u32::MAX as usize);
        Shard { capacity, places: HashMap::default(), slots: Vec::new(), hand: 0 }
    }

    fn put(&mut self, key: u128, value: V) {
        if let Some(slot) = self.places.get(&key).and_then(|place| self.slots.get_mut(*place as usize)) {
            slot.value = value;
            return;
        }
        let slot = Slot { key, value, asked_for: false };
        if self.slots.len() < self.capacity {
            self.places.insert(key, self.slots.len() as u32);
            self.slots.push(slot);
        } else if let Some(place) = self.next_to_go() {
            self.places.remove(&self.slots[place].key);
            self.places.insert(key, place as u32);
            self.slots[place] = slot;
        }
    }

    /// The first that was not asked for since the hand was there last; those who were get their second chance.
    fn next_to_go(&mut self) -> Option<usize> {
        // Two rounds at most: the first takes all marks away.
        for _ in 0..=2 * self.slots.len() {
            let place = self.hand;
            self.hand = if place + 1 < self.slots.len() { place + 1 } else { 0 };
            let slot = self.slots.get_mut(place)?;
            if !std::mem::take(&mut slot.asked_for) {
                return Some(place);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spread as an HMAC's output is.
    fn key(number: u64) -> u128 {
        let bits = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        bits ^ (bits >> 61)
    }

    #[test]
    fn put_never_holds_more_than_the_capacity() {
        for capacity in [0, 1, 5, 64, 1_000] {
            let clock = Clock::new(capacity);
            (0..10_000).for_each(|number| clock.put(key(number), number));
            let held = (0..10_000).filter(|number| clock.get(key(*number)) == Some(*number)).count();
            assert_eq!(held, capacity, "and it is full");
        }
    }

    #[test]
    fn put_forgets_what_was_not_asked_for() {
        let clock = Clock::new(1_000);
        for number in 0..100_000 {
            clock.put(key(number), number);
            // Ten that are asked for now and then.
            let known = key(number % 10);
            if number >= 10 {
                assert_eq!(clock.get(known), Some(number % 10), "after {number}");
            }
        }
    }

    #[test]
    fn put_replaces_the_value_of_a_key() {
        let clock = Clock::new(10);
        clock.put(7, 1);
        clock.put(7, 2);
        assert_eq!(clock.get(7), Some(2));
        assert_eq!(clock.get(8), None);
    }

    #[test]
    fn entries_survive_many_threads() {
        let clock = Clock::new(2_000);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let clock = &clock;
                scope.spawn(move || {
                    for number in 0..50_000_u64 {
                        let number = (number * 7 + thread) % 5_000;
                        assert!(clock.get(key(number)).is_none_or(|known| known == number));
                        clock.put(key(number), number);
                    }
                });
            }
        });
    }
}
