//! What a scan needs to know of publications and products, held in memory and followed by the change counter.
//!
//! Codes never change and may be cached for ever; states do change. One task asks the database each second for the
//! counter, and for the rows behind it only when it moved. A scan reads one pointer and takes no lock.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use mintmark_codes::Pepper;
use mintmark_ids::BatchId;
use uuid::Uuid;

use super::destination::Destination;

/// Older than this, the state no longer vouches for anything: a revocation could be missing (DESIGN §6).
pub const STALE_AFTER: Duration = Duration::from_secs(10);

/// When a publication's codes activate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Never.
    Static,
    /// By the first scan of a person.
    FirstScan,
}

impl Mode {
    /// The word in the table and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Static => "static",
            Mode::FirstScan => "first_scan",
        }
    }

    /// The mode that a word of the table names.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "static" => Some(Mode::Static),
            "first_scan" => Some(Mode::FirstScan),
            _ => None,
        }
    }
}

/// A sealed publication.
#[derive(Debug)]
pub struct SealedPublication {
    /// The batch that it publishes.
    pub batch: BatchId,
    /// Its product, in [`Snapshot::products`].
    pub product: Uuid,
    /// When its codes activate.
    pub mode: Mode,
    /// Since when it is recalled.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A product, as far as a scan shows it.
#[derive(Debug)]
pub struct Product {
    /// 14 digits.
    pub gtin: String,
    /// The brand's name.
    pub brand: String,
    /// The product's name.
    pub name: String,
    /// Where a genuine scan is sent.
    pub destination: Option<Destination>,
}

/// The state at one value of the change counter. Publications that are not sealed are absent.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// The change counter up to which this snapshot is complete.
    pub counter: i64,
    /// Sealed publications by number.
    pub publications: HashMap<i32, Arc<SealedPublication>>,
    /// Products by id.
    pub products: HashMap<Uuid, Arc<Product>>,
    /// The open partitions by number; `None` where this process was not given the pepper.
    pub partitions: HashMap<u16, Option<Arc<Pepper>>>,
}

/// What changed since a snapshot.
#[derive(Default)]
pub struct Changes {
    /// The counter, read before everything else.
    pub counter: i64,
    /// Publications sealed, or revoked after sealing.
    pub publications: Vec<(i32, SealedPublication)>,
    /// Products put.
    pub products: Vec<(Uuid, Product)>,
    /// All partitions.
    pub partitions: Vec<(u16, Option<Arc<Pepper>>)>,
}

/// The snapshot of the moment, and how old it is.
pub struct DirectoryState {
    snapshot: ArcSwap<Snapshot>,
    started: Instant,
    /// Milliseconds after `started`, plus one; zero until the first read.
    confirmed_at_ms: AtomicU64,
}

impl Default for DirectoryState {
    fn default() -> Self {
        DirectoryState {
            snapshot: ArcSwap::default(),
            started: Instant::now(),
            confirmed_at_ms: AtomicU64::new(0),
        }
    }
}

impl DirectoryState {
    /// The snapshot, or `None` when it is too old to vouch for anything.
    pub fn fresh(&self) -> Option<arc_swap::Guard<Arc<Snapshot>>> {
        self.age().is_some_and(|age| age <= STALE_AFTER).then(|| self.snapshot.load())
    }

    /// How long ago the database last confirmed the snapshot; `None` before the first time.
    pub fn age(&self) -> Option<Duration> {
        let confirmed = self.confirmed_at_ms.load(Ordering::Acquire).checked_sub(1)?;
        Some(self.started.elapsed().saturating_sub(Duration::from_millis(confirmed)))
    }

    /// The change counter of the snapshot.
    pub fn counter(&self) -> i64 {
        self.snapshot.load().counter
    }

    /// Takes in what a query that began at `asked_at` found. Only the refreshing task calls it.
    pub fn apply(&self, asked_at: Instant, changes: Option<Changes>) {
        if let Some(changes) = changes {
            let mut next = Snapshot::clone(&self.snapshot.load());
            next.counter = changes.counter;
            for (id, publication) in changes.publications {
                next.publications.insert(id, Arc::new(publication));
            }
            for (id, product) in changes.products {
                next.products.insert(id, Arc::new(product));
            }
            next.partitions = changes.partitions.into_iter().collect();
            self.snapshot.store(Arc::new(next));
        }
        let at = asked_at.saturating_duration_since(self.started).as_millis();
        self.confirmed_at_ms.store(u64::try_from(at).unwrap_or(u64::MAX - 1) + 1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_needs_a_first_confirmation() {
        let state = DirectoryState::default();
        assert!(state.fresh().is_none());
        state.apply(Instant::now(), Some(Changes { counter: 3, ..Changes::default() }));
        assert_eq!(state.fresh().unwrap().counter, 3);
    }

    #[test]
    fn fresh_ends_when_the_confirmation_is_too_old() {
        let mut state = DirectoryState::default();
        let now = Instant::now();
        state.started = now.checked_sub(Duration::from_secs(60)).unwrap();
        state.apply(now.checked_sub(Duration::from_secs(11)).unwrap(), None);
        assert!(state.fresh().is_none());
        state.apply(now.checked_sub(Duration::from_secs(8)).unwrap(), None);
        assert!(state.fresh().is_some());
    }

    #[test]
    fn apply_without_changes_keeps_the_snapshot() {
        let state = DirectoryState::default();
        state.apply(Instant::now(), Some(Changes { counter: 9, ..Changes::default() }));
        state.apply(Instant::now(), None);
        assert_eq!(state.counter(), 9);
    }
}
