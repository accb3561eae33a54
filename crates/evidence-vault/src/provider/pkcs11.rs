//! Keys in a PKCS#11 token, which they never leave: what the token destroyed no backup brings back.

mod keks;
mod library;
mod pool;
mod proof_key;
mod records;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cryptoki::mechanism::MechanismType;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use mintmark_fault::{Fault, Result};
use mintmark_ids::{EvidenceId, KekId, TenantId};
use mintmark_service::config::Secret;
use serde_json::Value;

use super::{Assurance, Bound, Dek, Hold, KeyProvider, Tombstone, WrappedDek};
use pool::Pool;

/// What making an RSA key may take: hardware looks for primes slowly.
const GENERATION: Duration = Duration::from_secs(120);
/// Signatures of one call: however slow the token, a call stays within its limit on time.
const SIGNATURES_A_CALL: usize = 16;

/// Where a token is, and how it is entered.
#[derive(Clone, Debug)]
pub struct TokenAddress {
    /// Its library.
    pub module: PathBuf,
    /// Its label.
    pub token: String,
    /// The PIN of its user.
    pub pin: Secret,
    /// The label of the RSA key that signs proofs.
    pub proof_key: String,
    /// What a call may take, with everything that is done to bring a token back.
    pub limit: Duration,
}

/// Why a token cannot be used at start.
#[derive(Debug, thiserror::Error)]
pub enum Pkcs11Error {
    /// The library cannot be loaded.
    #[error(
        "EVIDENCE_PKCS11_MODULE: the library cannot be loaded or does not start; name the token's PKCS#11 library"
    )]
    Library(#[source] cryptoki::error::Error),
    /// The token is not there, or does not let us in.
    #[error(
        "EVIDENCE_PKCS11_TOKEN: the token cannot be used; look whether one with this label is there \
         (`pkcs11-tool --module … --list-token-slots`) and whether EVIDENCE_PKCS11_PIN is its user's PIN"
    )]
    Token(#[source] Fault),
    /// It cannot do what is needed.
    #[error("EVIDENCE_PKCS11_TOKEN: the token knows no {0}, which the vault needs")]
    Mechanism(&'static str),
}

/// The provider of production: `EVIDENCE_KEY_PROVIDER=pkcs11`. Any number of processes may share its token.
pub struct Pkcs11Token {
    pool: Arc<Pool>,
    proof_key: String,
    verifying_key: Value,
    /// Whether the token hashes what it signs.
    hashes: bool,
}

impl Pkcs11Token {
    /// Opens a token, makes it a keystore and its proof key where it has none.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub async fn open(address: TokenAddress) -> std::result::Result<Self, Pkcs11Error> {
        let TokenAddress { module, token, pin, proof_key, limit } = address;
        let pin = pin.into_secret_string();
        let opened =
            tokio::task::spawn_blocking(move || Pool::new(&pool::real_path(&module), &token, pin, limit));
        let pool = opened.await.map_err(|error| Pkcs11Error::Token(Fault::internal(error)))?;
        let pool = Arc::new(pool.map_err(Pkcs11Error::Library)?);
        let label = proof_key.clone();
        pool.run(records::mark).await.map_err(Pkcs11Error::Token)?;
        let made = pool.run_within(GENERATION, move |session| proof_key::open(session, &label)).await;
        let verifying_key = made.map_err(Pkcs11Error::Token)?;
        let knows = |mechanism| {
            pool.knows(mechanism).map_err(|away| Pkcs11Error::Token(super::failure::unavailable(away)))
        };
        if !knows(MechanismType::AES_GCM)? {
            return Err(Pkcs11Error::Mechanism("AES-GCM"));
        }
        let hashes = knows(MechanismType::SHA256_RSA_PKCS_PSS)?;
        if !hashes && !knows(MechanismType::RSA_PKCS_PSS)? {
            return Err(Pkcs11Error::Mechanism("RSA-PSS"));
        }
        Ok(Self { pool, proof_key, verifying_key, hashes })
    }
}

impl KeyProvider for Pkcs11Token {
    fn assurance(&self) -> Assurance {
        Assurance::Cryptographic
    }

    fn name(&self) -> &'static str {
        "pkcs11"
    }

    fn create<'a>(&'a self, tenant: &'a TenantId, kek: KekId) -> BoxFuture<'a, Result<()>> {
        let tenant = tenant.clone();
        self.pool.run(move |session| keks::create(session, &tenant, kek)).boxed()
    }

    fn ready(&self) -> BoxFuture<'_, Result<()>> {
        self.pool.run(records::ready).boxed()
    }

    fn keys(&self) -> BoxFuture<'_, Result<Vec<(TenantId, KekId)>>> {
        self.pool.run(keks::list).boxed()
    }

    fn exists(&self, kek: KekId) -> BoxFuture<'_, Result<bool>> {
        self.pool.run(move |session| keks::exists(session, kek)).boxed()
    }

    fn wrap<'a>(&'a self, kek: KekId, bound: Bound<'a>, dek: &'a Dek) -> BoxFuture<'a, Result<WrappedDek>> {
        let (tenant, record, dek) = (bound.tenant.clone(), bound.record, Dek::new(dek.0.clone()));
        let call = move |session: &_| keks::wrap(session, kek, Bound { tenant: &tenant, record }, &dek);
        self.pool.run(call).boxed()
    }

    fn unwrap<'a>(&'a self, bound: Bound<'a>, key: &'a WrappedDek) -> BoxFuture<'a, Result<Dek>> {
        let (tenant, record, key) = (bound.tenant.clone(), bound.record, key.clone());
        let call = move |session: &_| keks::unwrap(session, Bound { tenant: &tenant, record }, &key);
        self.pool.run(call).boxed()
    }

    fn destroy(&self, kek: KekId) -> BoxFuture<'_, Result<()>> {
        self.pool.run(move |session| keks::destroy(session, kek)).boxed()
    }

    fn entomb<'a>(&'a self, tombstones: &'a [Tombstone]) -> BoxFuture<'a, Result<()>> {
        let tombstones = tombstones.to_vec();
        self.pool.run(move |session| records::entomb(session, &tombstones)).boxed()
    }

    fn tombstones(&self) -> BoxFuture<'_, Result<Vec<Tombstone>>> {
        self.pool.run(records::tombstones).boxed()
    }

    fn is_entombed<'a>(&'a self, tenant: &'a TenantId, record: EvidenceId) -> BoxFuture<'a, Result<bool>> {
        let tenant = tenant.clone();
        self.pool.run(move |session| records::is_entombed(session, &tenant, record)).boxed()
    }

    fn disinter<'a>(&'a self, tenant: &'a TenantId, record: EvidenceId) -> BoxFuture<'a, Result<()>> {
        let tenant = tenant.clone();
        self.pool.run(move |session| records::disinter(session, &tenant, record)).boxed()
    }

    fn hold<'a>(&'a self, hold: &'a Hold) -> BoxFuture<'a, Result<()>> {
        let hold = hold.clone();
        self.pool.run(move |session| records::hold(session, &hold)).boxed()
    }

    fn held<'a>(&'a self, tenant: &'a TenantId, record: EvidenceId) -> BoxFuture<'a, Result<Option<Hold>>> {
        let tenant = tenant.clone();
        self.pool.run(move |session| records::held(session, &tenant, record)).boxed()
    }

    fn holds(&self) -> BoxFuture<'_, Result<Vec<Hold>>> {
        self.pool.run(records::holds).boxed()
    }

    fn release<'a>(&'a self, tenant: &'a TenantId, record: EvidenceId) -> BoxFuture<'a, Result<()>> {
        let tenant = tenant.clone();
        self.pool.run(move |session| records::release(session, &tenant, record)).boxed()
    }

    fn sign<'a>(&'a self, messages: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Vec<u8>>>> {
        let calls: Vec<_> =
            messages
                .chunks(SIGNATURES_A_CALL)
                .map(|part| {
                    let (part, label) = (part.to_vec(), self.proof_key.clone());
                    let (kid, hashes) = (self.verifying_key["kid"].clone(), self.hashes);
                    let pool = Arc::clone(&self.pool);
                    async move {
                        pool.run(move |session| proof_key::sign(session, &label, &kid, hashes, &part)).await
                    }
                })
                .collect();
        // Few at a time: the wait for a session counts towards a call's limit on time.
        let signed = stream::iter(calls).buffered(2).try_collect::<Vec<_>>();
        async move { Ok(signed.await?.into_iter().flatten().collect()) }.boxed()
    }

    fn verifying_key(&self) -> Value {
        self.verifying_key.clone()
    }
}
