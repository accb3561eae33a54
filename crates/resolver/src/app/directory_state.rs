//! What a scan needs to know of publications and products, held in memory and followed by the change counter.
//!
//! Codes never change and may be cached for ever; states do change. One task asks the database each second for the
//! counter, and for the rows behind it only when it moved. A scan reads one pointer and takes no lock.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use mintmark_codes::{Gtin, Pepper};
use mintmark_ids::BatchId;
use mintmark_look::{Format, ImageHash};
use uuid::Uuid;

use super::destination::Destination;
use super::look::{self, Look};
use super::revoked_serials::RevokedSerials;

/// Older than this, the state no longer vouches for anything: a revocation could be missing (DESIGN §6).
pub const STALE_AFTER: Duration = Duration::from_secs(10);

/// When a publication's codes activate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Never.
    Static,
    /// By the first scan of a person.
    FirstScan,
    /// By a person who presses the button on the page: a previewer cannot.
    ConfirmedScan,
}

impl Mode {
    /// The word in the table and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Static => "static",
            Mode::FirstScan => "first_scan",
            Mode::ConfirmedScan => "confirmed_scan",
        }
    }

    /// The mode that a word of the table names.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "static" => Some(Mode::Static),
            "first_scan" => Some(Mode::FirstScan),
            "confirmed_scan" => Some(Mode::ConfirmedScan),
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
    /// How the built-in page looks for it.
    pub look: Look,
}

/// The state at one value of the change counter. Publications that are not sealed are absent.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// The change counter up to which this snapshot is complete.
    pub counter: i64,
    /// Sealed publications by number.
    pub publications: HashMap<i32, Arc<SealedPublication>>,
    /// Codes that are recalled alone, by the number of their publication.
    pub revoked: HashMap<i32, Arc<RevokedSerials>>,
    /// Products by id.
    pub products: HashMap<Uuid, Arc<Product>>,
    /// The product of a GTIN; `None` where several have it. Shared as well.
    pub by_gtin: Arc<HashMap<String, Option<Uuid>>>,
    /// The images that these products show. Shared: it changes with products alone.
    pub images: Arc<HashMap<ImageHash, Format>>,
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
    /// Codes recalled alone, by the number of their publication.
    pub revoked: HashMap<i32, RevokedSerials>,
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

    /// The kind of an image, if a product shows it.
    pub fn shown(&self, hash: &ImageHash) -> Option<Format> {
        self.snapshot.load().images.get(hash).copied()
    }

    /// The product that a scan is about: its publication's, or else the only one with the GTIN of the link.
    pub fn product_of(&self, publication: Option<i32>, gtin: Option<&Gtin>) -> Option<Uuid> {
        let snapshot = self.snapshot.load();
        match publication {
            Some(publication) => snapshot.publications.get(&publication).map(|known| known.product),
            None => snapshot.by_gtin.get(gtin?.as_str()).copied().flatten(),
        }
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
            for (id, newer) in changes.revoked {
                match next.revoked.entry(id) {
                    Entry::Vacant(place) => drop(place.insert(Arc::new(newer))),
                    Entry::Occupied(mut known) => Arc::make_mut(known.get_mut()).absorb(&newer),
                }
            }
            if !changes.products.is_empty() {
                next.products
                    .extend(changes.products.into_iter().map(|(id, product)| (id, Arc::new(product))));
                next.by_gtin = Arc::new(by_gtin(&next.products));
                next.images = Arc::new(look::shown(next.products.values()));
            }
            next.partitions = changes.partitions.into_iter().collect();
            self.snapshot.store(Arc::new(next));
        }
        let at = asked_at.saturating_duration_since(self.started).as_millis();
        self.confirmed_at_ms.store(u64::try_from(at).unwrap_or(u64::MAX - 1) + 1, Ordering::Release);
    }
}

fn by_gtin(products: &HashMap<Uuid, Arc<Product>>) -> HashMap<String, Option<Uuid>> {
    let mut index = HashMap::with_capacity(products.len());
    for (id, product) in products {
        index.entry(product.gtin.clone()).and_modify(|only| *only = None).or_insert(Some(*id));
    }
    index
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
    fn apply_adds_recalled_codes_to_those_it_knows() {
        let state = DirectoryState::default();
        for serial in [7, 3] {
            let mut newer = RevokedSerials::new(1, 10);
            newer.insert(serial);
            let changes = Changes { revoked: HashMap::from([(4, newer)]), ..Changes::default() };
            state.apply(Instant::now(), Some(changes));
        }
        let snapshot = state.fresh().unwrap();
        let recalled = |serial| snapshot.revoked[&4].contains(serial);
        assert_eq!((1..=10).filter(|serial| recalled(*serial)).collect::<Vec<_>>(), [3, 7]);
    }

    #[test]
    fn apply_without_changes_keeps_the_snapshot() {
        let state = DirectoryState::default();
        state.apply(Instant::now(), Some(Changes { counter: 9, ..Changes::default() }));
        state.apply(Instant::now(), None);
        assert_eq!(state.counter(), 9);
    }
}
