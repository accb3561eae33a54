//! Ciphertext in the object store: where it lies, and that it is gone when it is erased.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mintmark_fault::{Chain, Fault, Result};
use mintmark_ids::{EvidenceId, TenantId};
use mintmark_objects::{Object, ObjectWriter, Store};
use mintmark_service::{Gate, Shutdown};
use uuid::Uuid;

/// How often a store that was away is asked again, and one that was there looked at.
const AGAIN: Duration = Duration::from_secs(5);

/// The store, once it is known to keep no versions. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    store: Store,
    usable: Arc<AtomicBool>,
}

impl Blobs {
    /// Over a store of which nothing is known yet: nothing is written before [`Blobs::check`] has looked.
    pub fn new(store: Store) -> Self {
        Blobs { store, usable: Arc::new(AtomicBool::new(false)) }
    }

    /// A new place for a record's ciphertext. It is random, so that no upload ever replaces another's bytes.
    pub fn place(tenant: &TenantId, record: EvidenceId) -> String {
        format!("{tenant}/{record}/{}", Uuid::new_v4().simple())
    }

    /// Looks whether the store keeps versions of what is deleted; one that does is not used.
    ///
    /// # Errors
    /// 503 `STORE_VERSIONED` with a sentence; 503 when it is away.
    pub async fn check(&self) -> Result<()> {
        let looked = self.store.refuse_versions().await;
        self.usable.store(looked.is_ok(), Ordering::Release);
        looked
    }

    /// Looks again and again, and tells the gate; a bucket whose versioning is switched on later is noticed.
    pub async fn watch(self, gate: Gate, shutdown: Shutdown) {
        loop {
            let before = self.usable.load(Ordering::Acquire);
            match self.check().await {
                Ok(()) => {}
                Err(fault) if before || fault.code() == "STORE_VERSIONED" => {
                    tracing::warn!(code = fault.code(), error = %Chain(&fault), "evidence is not written");
                }
                Err(_) => {}
            }
            gate.set(self.usable.load(Ordering::Acquire));
            tokio::select! {
                () = shutdown.requested() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    /// A writer for code on a blocking thread; nothing is visible before it is finished.
    ///
    /// # Errors
    /// 503 while nothing is known of the store.
    pub fn writer(&self, place: &str) -> Result<ObjectWriter> {
        self.usable()?;
        self.store.writer(place)
    }

    /// Whether the store may be written to and erased from.
    ///
    /// # Errors
    /// 503 `STORE_UNAVAILABLE`.
    pub fn usable(&self) -> Result<()> {
        if self.usable.load(Ordering::Acquire) {
            return Ok(());
        }
        let sentence =
            "the object store is away, or keeps versions of what is deleted; the same request may work later";
        Err(Fault::unavailable("STORE_UNAVAILABLE", sentence).retry_after(AGAIN))
    }

    /// The first bytes of a record's ciphertext.
    ///
    /// # Errors
    /// 404 when it is not there; 503.
    pub async fn head(&self, place: &str, bytes: u64) -> Result<Bytes> {
        self.store.get_range(place, 0..bytes).await
    }

    /// Part of a record's ciphertext.
    ///
    /// # Errors
    /// 404 when it is not there; 503.
    pub async fn part(&self, place: &str, range: Range<u64>) -> Result<Object> {
        self.store.stream_range(place, range).await
    }

    /// How long a record's ciphertext is; none where there is none.
    ///
    /// # Errors
    /// 503.
    pub async fn length(&self, place: &str) -> Result<Option<u64>> {
        Ok(self.store.head(place).await?.map(|meta| meta.bytes))
    }

    /// Makes a record's ciphertext be gone: overwritten where the store is a folder, deleted, and looked for.
    ///
    /// # Errors
    /// 503; also when the store keeps it.
    pub async fn erase(&self, place: &str) -> Result<()> {
        self.usable()?;
        self.store.erase(place).await
    }
}
