use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use zeroize::Zeroizing;

use crate::jws::VerifyingKey;
use crate::{Jwk, KeyError, SigningKey};

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// The keys of one file: the first signs, and what any of them signed is accepted.
///
/// That is how a key is rotated, one edit at a time, each in place on every replica before the next: put the new key
/// second (everybody accepts it), move it first (it signs), take the old one away (what it signed is refused at once).
pub struct KeyRing {
    signer: SigningKey,
    accepted: Vec<Jwk>,
    verifying: Vec<VerifyingKey>,
}

/// Why a key file is refused. It names the key by its place in the file and contains none.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The file cannot be read.
    #[error("the key file cannot be read; check its path and permissions")]
    Unreadable(#[source] std::io::Error),
    /// No key in it.
    #[error("the key file holds no private key in PEM; make one with `openssl genpkey -algorithm ed25519`")]
    Empty,
    /// A line that belongs to no key: perhaps the edge of one that was cut off.
    #[error(
        "line {0} of the key file is in no PEM block; only keys, blank lines and lines that start with # may be"
    )]
    Stray(usize),
    /// A block that is no Ed25519 key.
    #[error("key {0} of the key file is not one that can be used")]
    Key(usize, #[source] KeyError),
    /// One key twice: a rotation that does not rotate.
    #[error("key {0} of the key file stands there twice")]
    Twice(usize),
    /// A key with two purposes: whoever holds it for one could act in the other.
    #[error("the key file holds a key that another purpose has already: make a key of its own for each")]
    Shared,
}

impl KeyRing {
    /// Reads one or more PKCS#8 keys in PEM, one after another.
    pub fn from_pem(text: &str) -> Result<Self, KeyRingError> {
        let mut keys = Vec::new();
        for (at, pem) in blocks(text)?.iter().enumerate() {
            let key = SigningKey::from_pem(pem).map_err(|error| KeyRingError::Key(at + 1, error))?;
            if keys.iter().any(|known: &SigningKey| known.kid() == key.kid()) {
                return Err(KeyRingError::Twice(at + 1));
            }
            keys.push(key);
        }
        let accepted: Vec<Jwk> = keys.iter().map(SigningKey::public_jwk).collect();
        let verifying = accepted.iter().map(VerifyingKey::new).collect();
        // Only the first private half is kept: the others are there to be recognised.
        let signer = keys.into_iter().next().ok_or(KeyRingError::Empty)?;
        Ok(KeyRing { signer, accepted, verifying })
    }

    /// The public halves, the signing one first: for a JWKS or a trust bundle.
    pub fn accepted(&self) -> &[Jwk] {
        &self.accepted
    }

    /// The key that signs.
    pub fn signer(&self) -> &SigningKey {
        &self.signer
    }

    pub(crate) fn find(&self, kid: &str) -> Option<&VerifyingKey> {
        self.verifying.iter().find(|key| key.kid() == kid)
    }

    fn shares_a_key_with(&self, other: &KeyRing) -> bool {
        self.accepted.iter().any(|key| other.find(key.kid()).is_some())
    }
}

impl From<SigningKey> for KeyRing {
    fn from(signer: SigningKey) -> Self {
        let accepted = vec![signer.public_jwk()];
        let verifying = accepted.iter().map(VerifyingKey::new).collect();
        KeyRing { signer, accepted, verifying }
    }
}

/// Each PEM block of a text.
fn blocks(text: &str) -> Result<Vec<Zeroizing<String>>, KeyRingError> {
    let mut blocks = Vec::new();
    let mut open: Option<Zeroizing<String>> = None;
    for (at, line) in text.lines().map(str::trim).enumerate() {
        match (&mut open, line) {
            (None, BEGIN) => {
                // Room for the largest key, so that no copy of a part is left behind when it grows.
                let mut block = Zeroizing::new(String::with_capacity(text.len() + 1));
                block.push_str(line);
                open = Some(block);
            }
            (None, blank) if blank.is_empty() || blank.starts_with('#') => {}
            (None, _) | (Some(_), BEGIN) => return Err(KeyRingError::Stray(at + 1)),
            (Some(block), _) => {
                block.push('\n');
                block.push_str(line);
                if line == END {
                    block.push('\n');
                    blocks.extend(open.take());
                }
            }
        }
    }
    match open {
        Some(_) => Err(KeyRingError::Stray(text.lines().count())),
        None => Ok(blocks),
    }
}

/// The keys in force: a handle that minters and verifiers share, replaced as a whole while requests run.
///
/// It spawns nothing: the service calls [`KeyStore::reload`] now and then.
#[derive(Clone)]
pub struct KeyStore(Arc<Shared>);

struct Shared {
    path: Option<PathBuf>,
    current: ArcSwap<KeyRing>,
    /// Held while a file is read and put in place, so that two reloads cannot swap in the wrong order.
    replacing: Mutex<()>,
}

impl KeyStore {
    /// Reads the keys at `path`; [`KeyStore::reload`] reads the same file again.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, KeyRingError> {
        let path = path.into();
        let ring = read(&path)?;
        Ok(KeyStore::holding(Some(path), ring))
    }

    fn holding(path: Option<PathBuf>, ring: KeyRing) -> Self {
        KeyStore(Arc::new(Shared { path, current: ArcSwap::from_pointee(ring), replacing: Mutex::new(()) }))
    }

    /// [`KeyRingError::Shared`] when one key stands in both: a session could then pass for a service, or the other way
    /// round, for whoever holds one of the files.
    pub fn apart_from(&self, other: &KeyStore) -> Result<(), KeyRingError> {
        if self.current().shares_a_key_with(&other.current()) { Err(KeyRingError::Shared) } else { Ok(()) }
    }

    /// Reads the file again: `true` when other keys are in force now. After an error, also when a key of `apart` turns up
    /// in it, the old ones stay in force.
    ///
    /// Blocks on the file; call it off the request path.
    pub fn reload(&self, apart: &KeyStore) -> Result<bool, KeyRingError> {
        let Some(path) = &self.0.path else { return Ok(false) };
        let _replacing = self.0.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let ring = read(path)?;
        if ring.shares_a_key_with(&apart.current()) {
            return Err(KeyRingError::Shared);
        }
        Ok(self.put(ring))
    }

    /// The same for a service that holds no other keys.
    pub fn reload_alone(&self) -> Result<bool, KeyRingError> {
        let Some(path) = &self.0.path else { return Ok(false) };
        let _replacing = self.0.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(self.put(read(path)?))
    }

    /// Puts other keys in force; `true` when they differ from the present ones.
    pub fn replace(&self, ring: impl Into<KeyRing>) -> bool {
        let _replacing = self.0.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(ring.into())
    }

    fn put(&self, ring: KeyRing) -> bool {
        // The id is the thumbprint of the key, so equal ids in the same order are the same keys.
        let changed = self.current().accepted != ring.accepted;
        if changed {
            self.0.current.store(Arc::new(ring));
        }
        changed
    }

    /// The keys in force. An operation reads them once, so that it sees one set only.
    pub fn current(&self) -> Arc<KeyRing> {
        self.0.current.load_full()
    }
}

/// A store without a file, for a process that got its key another way.
impl From<SigningKey> for KeyStore {
    fn from(key: SigningKey) -> Self {
        KeyStore::holding(None, key.into())
    }
}

impl From<KeyRing> for KeyStore {
    fn from(ring: KeyRing) -> Self {
        KeyStore::holding(None, ring)
    }
}

fn read(path: &Path) -> Result<KeyRing, KeyRingError> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(KeyRingError::Unreadable)?;
    KeyRing::from_pem(&text)
}
