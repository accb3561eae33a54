//! The keystore folder: a file per key, sealed by the encryption key; the same calls as the provider's, on this thread.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{KekId, TenantId};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::super::failure::{crypto, damaged, destroyed, shredded, unavailable};
use super::super::local_key::EncryptionKey;
use super::super::{Bound, DEK_LEN, Dek, WrappedDek, binding};
use super::files;

/// Says that this folder is a keystore, and of which key: without it an unmounted folder would look like one in which
/// every key is destroyed and no tombstone stands.
const MARK: &str = "keystore.json";
const FORMAT: &str = "mintmark:keystore:v1";
const KEK_FORMAT: &str = "mintmark:kek:v1";
const TAG_LEN: usize = 16;

/// Why a folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// The file system refused.
    #[error("cannot be made or read")]
    Io(#[from] io::Error),
    /// Sealed by another key.
    #[error(
        "was sealed by another EVIDENCE_ENCRYPTION_KEY: give the one that it was made with, or name an empty folder"
    )]
    OtherKey,
    /// Something is in it that no keystore of ours has.
    #[error("holds files and is not a keystore: name an empty folder, or restore its keystore.json")]
    Foreign,
}

/// A sealed file: the tenant is readable, and bound into the seal.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    format: String,
    tenant: String,
    nonce: String,
    sealed: String,
}

pub(super) struct Keystore {
    root: PathBuf,
    seal: LessSafeKey,
    random: SystemRandom,
}

impl Keystore {
    /// Opens a folder, or makes one out of an empty folder.
    pub(super) fn open(root: &Path, key: &EncryptionKey) -> std::result::Result<Self, KeystoreError> {
        let seal = aes(key.expose()).map_err(|_| KeystoreError::Foreign)?;
        let store = Keystore { root: root.to_owned(), seal, random: SystemRandom::new() };
        fs::create_dir_all(root)?;
        if files::read(&store.mark())?.is_none() {
            // What is in it now may be what another process made of it since we looked for the mark.
            if !files::names(root)?.is_empty() && files::read(&store.mark())?.is_none() {
                return Err(KeystoreError::Foreign);
            }
            let mark = store.sealed(FORMAT, "", b"", b"keystore").map_err(|_| KeystoreError::Foreign)?;
            files::write_new(root, MARK, &mark)?;
        }
        let mark = files::read(&store.mark())?.ok_or(KeystoreError::Foreign)?;
        let mark: Sealed = serde_json::from_slice(&mark).map_err(|_| KeystoreError::Foreign)?;
        store.unsealed(FORMAT, &mark, b"").ok_or(KeystoreError::OtherKey)?;
        for folder in ["keks", "tombstones", "holds"] {
            files::make_folder(&root.join(folder))?;
        }
        files::sweep(&root.join("keks"))?;
        for kept in ["tombstones", "holds"] {
            files::sweep(&root.join(kept))?;
            for tenant in files::names(&root.join(kept))? {
                files::sweep(&root.join(kept).join(tenant))?;
            }
        }
        Ok(store)
    }

    fn mark(&self) -> PathBuf {
        self.root.join(MARK)
    }

    fn keks(&self) -> PathBuf {
        self.root.join("keks")
    }

    pub(super) fn folder(&self, kept: &str) -> PathBuf {
        self.root.join(kept)
    }

    /// Whether the folder is there: asked before anything is said not to be in it.
    pub(super) fn ready(&self) -> Result<()> {
        fs::metadata(self.mark()).map(drop).map_err(unavailable)
    }

    /// What was not found counts as not there only while the folder is.
    pub(super) fn absent<T>(&self, found: io::Result<Option<T>>) -> Result<Option<T>> {
        match found.map_err(unavailable)? {
            Some(found) => Ok(Some(found)),
            None => self.ready().map(|()| None),
        }
    }

    pub(super) fn create(&self, tenant: &TenantId, kek: KekId) -> Result<()> {
        let name = kek.to_string();
        let mut key = Zeroizing::new([0; DEK_LEN]);
        self.random.fill(&mut key[..]).map_err(crypto)?;
        self.ready()?;
        let bytes = self.sealed(KEK_FORMAT, tenant.as_str(), name.as_bytes(), &key[..])?;
        files::write_new(&self.keks(), &name, &bytes).map_err(unavailable)?;
        // One that was there must be this tenant's, and whole.
        self.key(tenant, kek).map(drop)
    }

    pub(super) fn keys(&self) -> Result<Vec<(TenantId, KekId)>> {
        self.ready()?;
        let mut keys = Vec::new();
        for name in files::names(&self.keks()).map_err(unavailable)? {
            let Ok(kek) = name.parse::<KekId>() else { continue };
            // Destroyed since the folder was listed.
            let Some(bytes) = files::read(&self.keks().join(&name)).map_err(unavailable)? else { continue };
            let sealed: Sealed = serde_json::from_slice(&bytes).map_err(damaged)?;
            keys.push((TenantId::parse(&sealed.tenant).map_err(damaged)?, kek));
        }
        Ok(keys)
    }

    pub(super) fn exists(&self, kek: KekId) -> Result<bool> {
        let found = files::read(&self.keks().join(kek.to_string()));
        Ok(self.absent(found)?.is_some())
    }

    pub(super) fn destroy(&self, kek: KekId) -> Result<()> {
        self.ready()?;
        files::destroy(&self.keks(), &kek.to_string()).map_err(unavailable)
    }

    pub(super) fn wrap(&self, kek: KekId, bound: Bound<'_>, dek: &Dek) -> Result<WrappedDek> {
        if self.is_entombed(bound.tenant, bound.record)? {
            return Err(shredded());
        }
        let key = self.key(bound.tenant, kek)?;
        let mut iv = [0; NONCE_LEN];
        self.random.fill(&mut iv).map_err(crypto)?;
        // What is sealed in place is no secret afterwards; until then it is wiped like one.
        let mut bytes = Zeroizing::new(*dek.expose());
        let tag = key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(iv),
                Aad::from(binding::of_dek(bound, kek)),
                &mut bytes[..],
            )
            .map_err(crypto)?;
        let mut wrapped = WrappedDek { kek, iv, wrapped: *bytes, tag: [0; TAG_LEN] };
        wrapped.tag.copy_from_slice(tag.as_ref());
        Ok(wrapped)
    }

    pub(super) fn unwrap(&self, bound: Bound<'_>, wrapped: &WrappedDek) -> Result<Dek> {
        if self.is_entombed(bound.tenant, bound.record)? {
            return Err(shredded());
        }
        let key = self.key(bound.tenant, wrapped.kek)?;
        let mut bytes = Zeroizing::new([0; DEK_LEN + TAG_LEN]);
        bytes[..DEK_LEN].copy_from_slice(&wrapped.wrapped);
        bytes[DEK_LEN..].copy_from_slice(&wrapped.tag);
        let aad = Aad::from(binding::of_dek(bound, wrapped.kek));
        let opened = key
            .open_in_place(Nonce::assume_unique_for_key(wrapped.iv), aad, &mut bytes[..])
            .map_err(|_| damaged("a wrapped key does not authenticate for its record, tenant and key"))?;
        let mut dek = Zeroizing::new([0; DEK_LEN]);
        dek.copy_from_slice(opened);
        Ok(Dek::new(dek))
    }

    /// Opened anew for each call: a file that is gone is gone for every process at once.
    fn key(&self, tenant: &TenantId, kek: KekId) -> Result<LessSafeKey> {
        let name = kek.to_string();
        let bytes = self.absent(files::read(&self.keks().join(&name)))?.ok_or_else(destroyed)?;
        let sealed: Sealed = serde_json::from_slice(&bytes).map_err(damaged)?;
        if sealed.tenant != tenant.as_str() {
            return Err(damaged("a key belongs to another tenant"));
        }
        let key = self
            .unsealed(KEK_FORMAT, &sealed, name.as_bytes())
            .ok_or_else(|| damaged("a key's file does not authenticate"))?;
        aes(&key).map_err(|_| damaged("a key's file holds no key"))
    }

    fn sealed(&self, format: &str, tenant: &str, id: &[u8], secret: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(crypto)?;
        let mut sealed = secret.to_vec();
        self.seal
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(seal_aad(format, tenant, id)),
                &mut sealed,
            )
            .map_err(crypto)?;
        let file = Sealed {
            format: format.to_owned(),
            tenant: tenant.to_owned(),
            nonce: STANDARD.encode(nonce),
            sealed: STANDARD.encode(sealed),
        };
        serde_json::to_vec(&file).map_err(Fault::internal)
    }

    /// `None` where it does not authenticate as what it is looked up as.
    fn unsealed(&self, format: &str, file: &Sealed, id: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let nonce = Nonce::try_assume_unique_for_key(&STANDARD.decode(&file.nonce).ok()?).ok()?;
        let mut bytes = Zeroizing::new(STANDARD.decode(&file.sealed).ok()?);
        let aad = Aad::from(seal_aad(format, &file.tenant, id));
        let length = self.seal.open_in_place(nonce, aad, &mut bytes).ok()?.len();
        bytes.truncate(length);
        (file.format == format).then_some(bytes)
    }
}

fn seal_aad(format: &str, tenant: &str, id: &[u8]) -> Vec<u8> {
    binding::canonical(format, &[tenant.as_bytes(), id, b"seal"])
}

fn aes(key: &[u8]) -> std::result::Result<LessSafeKey, ring::error::Unspecified> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new)
}
