use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ring::digest::{SHA256, digest};

/// Tokens that verified, by SHA-256, until they expire: a chunk stream presents the same one thousands of times.
///
/// Bound to one generation of the trust bundle: a key that was withdrawn takes its cached tokens with it. Bounded: when it
/// is full of live tokens a new one is verified each time, which is slower and never wrong.
///
/// An entry is good for the times at which its token is, and not only until it expires: where a clock went back, the token
/// is one from the future, and whoever kept it must not have it accepted for as long as the clock is wrong.
pub(crate) struct VerifiedCache<T> {
    state: Mutex<State<T>>,
    capacity: usize,
}

struct State<T> {
    generation: u64,
    entries: HashMap<Key, Entry<T>>,
    /// The second in which expired entries were last removed: once a second at most, however full it is.
    purged_at: i64,
}

struct Entry<T> {
    times: Range<i64>,
    value: T,
}

/// The SHA-256 of a token, so that the cache holds nothing that could be presented.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 32]);

impl Key {
    pub(crate) fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Key(bytes)
    }
}

impl<T: Clone> VerifiedCache<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State { generation: 0, entries: HashMap::new(), purged_at: i64::MIN };
        VerifiedCache { state: Mutex::new(state), capacity }
    }

    /// What the token verified to, if it did so under this generation and is good at `now`.
    pub(crate) fn get(&self, key: &Key, generation: u64, now: i64) -> Option<T> {
        let state = self.at(generation)?;
        state.entries.get(key).filter(|entry| entry.times.contains(&now)).map(|entry| entry.value.clone())
    }

    /// Remembers a verification that was made under `generation` and holds at these `times` (seconds since the epoch); an
    /// older generation than the cache's is forgotten.
    pub(crate) fn put(&self, key: Key, generation: u64, times: Range<i64>, value: T, now: i64) {
        let Some(mut state) = self.at(generation) else { return };
        if state.entries.len() >= self.capacity && state.purged_at < now {
            state.entries.retain(|_, entry| entry.times.contains(&now));
            state.purged_at = now;
        }
        if state.entries.len() < self.capacity {
            state.entries.insert(key, Entry { times, value });
        }
    }

    /// The state at this generation, emptied first when the generation is new; `None` when it is an old one.
    fn at(&self, generation: u64) -> Option<MutexGuard<'_, State<T>>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.generation < generation {
            state.entries.clear();
            state.generation = generation;
        }
        (state.generation == generation).then_some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_get_forgets_at_expiry() {
        let cache = VerifiedCache::new(8);
        let key = Key::of("a");
        cache.put(key, 1, 40..100, "caller", 50);
        assert_eq!(cache.get(&key, 1, 99), Some("caller"));
        assert_eq!(cache.get(&key, 1, 100), None);
    }

    #[test]
    fn cache_get_forgets_while_the_clock_is_before_the_token() {
        let cache = VerifiedCache::new(8);
        let key = Key::of("a");
        cache.put(key, 1, 40..100, "caller", 50);
        assert_eq!(cache.get(&key, 1, 39), None);
        assert_eq!(cache.get(&key, 1, 40), Some("caller"));
    }

    #[test]
    fn cache_get_after_a_new_generation_is_empty() {
        let cache = VerifiedCache::new(8);
        let key = Key::of("a");
        cache.put(key, 1, 40..100, "caller", 50);
        assert_eq!(cache.get(&key, 2, 50), None);
        // A verification that began under the old bundle comes too late to be remembered.
        cache.put(key, 1, 40..100, "caller", 50);
        assert_eq!(cache.get(&key, 2, 50), None);
        assert_eq!(cache.get(&key, 1, 50), None);
    }

    #[test]
    fn cache_put_stays_within_its_capacity() {
        let cache = VerifiedCache::new(2);
        for (token, expires_at) in [("a", 60), ("b", 100), ("c", 100)] {
            cache.put(Key::of(token), 1, 40..expires_at, token, 50);
        }
        assert_eq!(cache.get(&Key::of("c"), 1, 50), None);
        assert_eq!(cache.state.lock().unwrap().entries.len(), 2);
        // An expired entry makes room.
        cache.put(Key::of("d"), 1, 40..100, "d", 60);
        assert_eq!(cache.get(&Key::of("d"), 1, 60), Some("d"));
        assert_eq!(cache.get(&Key::of("b"), 1, 60), Some("b"));
    }
}
