//! Where key-encryption keys live, outside the database: a folder on one machine, a PKCS#11 token in production.
//!
//! Whatever a provider keeps counts more than any row: a row may have come back from a backup, a provider's tombstone, hold
//! or missing key did not. Every call is durable when it returns, and each may be repeated.

mod binding;
mod config;
mod failure;
mod jwk;
mod kept_hold;
mod local;
mod local_key;
mod pkcs11;
mod rsa_file;

pub use binding::canonical;
pub use config::{ProviderConfig, ProviderKind};
pub use local::{KeystoreError, Local};
pub use local_key::{EncryptionKey, EncryptionKeyError};
pub use pkcs11::{Pkcs11Error, Pkcs11Token, TokenAddress};
pub use rsa_file::{RsaFile, RsaFileError};

use std::fmt;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use mintmark_fault::Result;
use mintmark_ids::{EvidenceId, KekId, TenantId};
use zeroize::Zeroizing;

/// Bytes of a data-encryption key.
pub const DEK_LEN: usize = 32;

/// A data-encryption key: wiped when it is dropped, and never printed.
pub struct Dek(pub(crate) Zeroizing<[u8; DEK_LEN]>);

impl Dek {
    /// The key that these bytes are.
    pub fn new(bytes: Zeroizing<[u8; DEK_LEN]>) -> Self {
        Dek(bytes)
    }

    /// Its bytes.
    pub fn expose(&self) -> &[u8; DEK_LEN] {
        &self.0
    }
}

impl fmt::Debug for Dek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dek([secret])")
    }
}

/// A data-encryption key as it is stored: AES-256-GCM under a key-encryption key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedDek {
    /// Which key opens it.
    pub kek: KekId,
    /// The nonce: random, chosen by the provider.
    pub iv: [u8; 12],
    /// The ciphertext.
    pub wrapped: [u8; DEK_LEN],
    /// GCM's tag.
    pub tag: [u8; 16],
}

/// Whose key is wrapped: with the key's id and the purpose it is the associated data, so that no stored field can be moved
/// to another record, tenant or key.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    /// Whose record.
    pub tenant: &'a TenantId,
    /// Which record.
    pub record: EvidenceId,
}

/// What the destruction of its keys makes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assurance {
    /// Live copies are gone; whoever holds a backup of the keystore and its key can still decrypt (`local`).
    Logical,
    /// No copy of the key exists outside the token that destroyed it (`pkcs11`).
    Cryptographic,
}

impl Assurance {
    /// As it stands in proofs and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Assurance::Logical => "logical",
            Assurance::Cryptographic => "cryptographic",
        }
    }
}

/// Refuses a record under every key of its tenant, whatever the database says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Whose record.
    pub tenant: TenantId,
    /// Which record.
    pub record: EvidenceId,
    /// When its erasure began. It is dropped when every key of the tenant that was made before is destroyed (ids of keys are
    /// ordered by time).
    pub at: DateTime<Utc>,
}

/// While it exists the record is held, whatever the database says; with it the record can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Whose record.
    pub tenant: TenantId,
    /// Which record.
    pub record: EvidenceId,
    /// Its key, wrapped by the record's own hold key.
    pub key: WrappedDek,
}

/// Keeps key-encryption keys, and what must outlive the database.
///
/// Faults: 503 `KEYS_UNAVAILABLE` when the provider is away; 410 `EVIDENCE_SHREDDED` from [`KeyProvider::unwrap`] and
/// [`KeyProvider::wrap`] for a record with a tombstone; 410 `EVIDENCE_KEY_DESTROYED` where the key is gone; 500
/// `EVIDENCE_KEY_DAMAGED` where what is stored does not authenticate for this record, tenant and key.
pub trait KeyProvider: Send + Sync + 'static {
    /// What it can claim of a destruction.
    fn assurance(&self) -> Assurance;

    /// Its name in audit entries, certificates and metrics: `local`, `pkcs11`.
    fn name(&self) -> &'static str;

    /// Makes a key that does not exist yet; does nothing where it exists.
    fn create<'a>(&'a self, tenant: &'a TenantId, kek: KekId) -> BoxFuture<'a, Result<()>>;

    /// Whether it answers now: what readiness asks.
    fn ready(&self) -> BoxFuture<'_, Result<()>>;

    /// Every key there is, with its tenant: a restored database may not know some of them.
    fn keys(&self) -> BoxFuture<'_, Result<Vec<(TenantId, KekId)>>>;

    /// Whether the key exists.
    fn exists(&self, kek: KekId) -> BoxFuture<'_, Result<bool>>;

    /// Wraps a key under `kek`, with a fresh random nonce, unless the record has a tombstone. The caller has reserved the
    /// invocation.
    fn wrap<'a>(&'a self, kek: KekId, bound: Bound<'a>, dek: &'a Dek) -> BoxFuture<'a, Result<WrappedDek>>;

    /// Opens a wrapped key, unless the record has a tombstone.
    fn unwrap<'a>(&'a self, bound: Bound<'a>, key: &'a WrappedDek) -> BoxFuture<'a, Result<Dek>>;

    /// Destroys a key for ever; done already where it does not exist.
    fn destroy(&self, kek: KekId) -> BoxFuture<'_, Result<()>>;

    /// Keeps tombstones: a record that has one keeps its first.
    fn entomb<'a>(&'a self, tombstones: &'a [Tombstone]) -> BoxFuture<'a, Result<()>>;

    /// Every tombstone there is.
    fn tombstones(&self) -> BoxFuture<'_, Result<Vec<Tombstone>>>;

    /// Whether this record has one.
    fn is_entombed<'a>(&'a self, tenant: &'a TenantId, record: EvidenceId) -> BoxFuture<'a, Result<bool>>;

    /// Drops one, when nothing that it could refuse can be opened any more.
    fn disinter<'a>(&'a self, tenant: &'a TenantId, record: EvidenceId) -> BoxFuture<'a, Result<()>>;

    /// Keeps a hold, replacing one of the same record.
    fn hold<'a>(&'a self, hold: &'a Hold) -> BoxFuture<'a, Result<()>>;

    /// The hold of a record.
    fn held<'a>(&'a self, tenant: &'a TenantId, record: EvidenceId) -> BoxFuture<'a, Result<Option<Hold>>>;

    /// Every hold there is.
    fn holds(&self) -> BoxFuture<'_, Result<Vec<Hold>>>;

    /// Drops a hold.
    fn release<'a>(&'a self, tenant: &'a TenantId, record: EvidenceId) -> BoxFuture<'a, Result<()>>;

    /// Signs with RSASSA-PSS, SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (PS256). Messages are signed in the order
    /// given; several at once where the provider can.
    fn sign<'a>(&'a self, messages: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Vec<u8>>>>;

    /// The key that proofs are signed with, as a JWK with `kid`, `alg: PS256`, `use: sig`.
    fn verifying_key(&self) -> serde_json::Value;
}
