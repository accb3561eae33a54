//! Keys in a folder of this machine, sealed by `EVIDENCE_ENCRYPTION_KEY`; proofs signed by an RSA key out of a file.
//!
//! What it erases it erases on this machine: whoever copied the folder before, and has the encryption key, can still open
//! what was erased since. So its assurance is `logical`.

mod files;
mod keystore;
mod records;

use std::path::Path;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, try_join_all};
use mintmark_fault::{Fault, Result};
use mintmark_ids::{EvidenceId, KekId, TenantId};
use serde_json::Value;

use super::failure::crypto;
use super::local_key::EncryptionKey;
use super::rsa_file::RsaFile;
use super::{Assurance, Bound, Dek, Hold, KeyProvider, Tombstone, WrappedDek};
use keystore::Keystore;
pub use keystore::KeystoreError;

/// The provider of one machine: `EVIDENCE_KEY_PROVIDER=local`. Several processes may share its folder.
pub struct Local {
    store: Arc<Keystore>,
    proofs: Arc<RsaFile>,
}

impl Local {
    /// Opens a keystore folder, or makes one of an empty folder.
    ///
    /// # Errors
    /// When the folder cannot be used, or was sealed by another key.
    pub fn open(
        folder: &Path,
        key: &EncryptionKey,
        proofs: RsaFile,
    ) -> std::result::Result<Self, KeystoreError> {
        Ok(Local { store: Arc::new(Keystore::open(folder, key)?), proofs: Arc::new(proofs) })
    }

    /// Files are read and fsynced on a thread that may wait.
    fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Keystore) -> Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        let store = Arc::clone(&self.store);
        let called = tokio::task::spawn_blocking(move || call(&store));
        async move { called.await.map_err(Fault::internal)? }.boxed()
    }
}

impl KeyProvider for Local {
    fn assurance(&self) -> Assurance {
        Assurance::Logical
    }

    fn name(&self) -> &'static str {
        "local"
    }

    fn create<'a>(&'a self, tenant: &'a TenantId, kek: KekId) -> BoxFuture<'a, Result<()>> {
        let tenant = tenant.clone();
        self.blocking(move |store| store.create(&tenant, kek))
    }

    fn ready(&self) -> BoxFuture<'_, Result<()>> {
        self.blocking(Keystore::ready)
    }

    fn keys(&self) -> BoxFuture<'_, Result<Vec<(TenantId, KekId)>>> {
        self.blocking(Keystore::keys)
    }

    fn exists(&self, kek: KekId) -> BoxFuture<'_, Result<bool>> {
        self.blocking(move |store| store.exists(kek))
    }

    fn wrap<'a>(&'a self, kek: KekId, bound: Bound<'a>, dek: &'a Dek) -> BoxFuture<'a, Result<WrappedDek>> {
        let (tenant, record, dek) = (bound.tenant.clone(), bound.record, Dek::new(dek.0.clone()));
        self.blocking(move |store| store.wrap(kek, Bound { tenant: &tenant, record }, &dek))
    }

    fn unwrap<'a>(&'a self, bound: Bound<'a>, key: &'a WrappedDek) -> BoxFuture<'a, Result<Dek>> {
        let (tenant, record, key) = (bound.tenant.clone(), bound.record, key.clone());
        self.blocking(move |store| store.unwrap(Bound { tenant: &tenant, record }, &key))
    }

    fn destroy(&self, kek: KekId) -> BoxFuture<'_, Result<()>> {
        self.blocking(move |store| store.destroy(kek))
    }

    fn entomb<'a>(&'a self, tombstones: &'a [Tombstone]) -> BoxFuture<'a, Result<()>> {
        let tombstones = tombstones.to_vec();
        self.blocking(move |store| store.entomb(&tombstones))
    }

    fn tombstones(&self) -> BoxFuture<'_, Result<Vec<Tombstone>>> {
        self.blocking(Keystore::tombstones)
    }

    fn is_entombed<'a>(&'a self, tenant: &'a TenantId, record: EvidenceId) -> BoxFuture<'a, Result<bool>> {
        let tenant = tenant.clone();
        self.blocking(move |store| store.is_entombed(&tenant, record))
    }

    fn disinter<'a>(&'a self, tenant: &'a TenantId, record: EvidenceId) -> BoxFuture<'a, Result<()>> {
        let tenant = tenant.clone();
        self.blocking(move |store| store.disinter(&tenant, record))
    }

    fn hold<'a>(&'a self, hold: &'a Hold) -> BoxFuture<'a, Result<()>> {
        let hold = hold.clone();
        self.blocking(move |store| store.hold(&hold))
    }

    fn held<'a>(&'a self, tenant: &'a TenantId, record: EvidenceId) -> BoxFuture<'a, Result<Option<Hold>>> {
        let tenant = tenant.clone();
        self.blocking(move |store| store.held(&tenant, record))
    }

    fn holds(&self) -> BoxFuture<'_, Result<Vec<Hold>>> {
        self.blocking(Keystore::holds)
    }

    fn release<'a>(&'a self, tenant: &'a TenantId, record: EvidenceId) -> BoxFuture<'a, Result<()>> {
        let tenant = tenant.clone();
        self.blocking(move |store| store.release(&tenant, record))
    }

    /// Signing is the slowest step of a shred: a batch takes every processor.
    fn sign<'a>(&'a self, messages: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Vec<u8>>>> {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let share = messages.len().div_ceil(threads).max(1);
        let parts = messages.chunks(share).map(|part| {
            let (part, proofs) = (part.to_vec(), Arc::clone(&self.proofs));
            let signed = tokio::task::spawn_blocking(move || {
                part.iter().map(|message| proofs.sign(message)).collect::<std::result::Result<Vec<_>, _>>()
            });
            async move { signed.await.map_err(Fault::internal)?.map_err(crypto) }
        });
        let parts: Vec<_> = parts.collect();
        async move { Ok(try_join_all(parts).await?.into_iter().flatten().collect()) }.boxed()
    }

    fn verifying_key(&self) -> Value {
        self.proofs.jwk().clone()
    }
}
