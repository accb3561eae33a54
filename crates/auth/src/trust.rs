use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::jws::VerifyingKey;
use crate::{BundleError, TrustBundle, TrustedEnvoy, TrustedKey};

/// The trust bundle in force: a handle that every verifier shares, replaced as a whole while requests run.
///
/// It spawns nothing: the service calls [`TrustStore::reload`] now and then.
#[derive(Clone)]
pub struct TrustStore(Arc<Shared>);

struct Shared {
    path: Option<PathBuf>,
    current: ArcSwap<Trust>,
    /// Held while a bundle is read and put in place, so that two reloads cannot swap in the wrong order.
    replacing: Mutex<()>,
}

/// One bundle with its keys parsed, and the number that caches of verified tokens are bound to.
pub(crate) struct Trust {
    bundle: TrustBundle,
    verifying: Vec<VerifyingKey>,
    generation: u64,
}

impl TrustStore {
    /// Reads the bundle at `path`; [`TrustStore::reload`] reads the same file again.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, BundleError> {
        let path = path.into();
        let bundle = read(&path)?;
        Ok(TrustStore::holding(Some(path), bundle))
    }

    /// A store without a file, for a process that made its bundle itself.
    pub fn fixed(bundle: TrustBundle) -> Self {
        TrustStore::holding(None, bundle)
    }

    fn holding(path: Option<PathBuf>, bundle: TrustBundle) -> Self {
        let current = ArcSwap::from_pointee(Trust::new(bundle, 1));
        TrustStore(Arc::new(Shared { path, current, replacing: Mutex::new(()) }))
    }

    /// Reads the file again: `true` when another bundle is in force now. After an error the old one stays in force.
    ///
    /// Blocks on the file; call it off the request path.
    pub fn reload(&self) -> Result<bool, BundleError> {
        match &self.0.path {
            Some(path) => {
                let _replacing = self.0.replacing.lock().unwrap_or_else(PoisonError::into_inner);
                let bundle = read(path)?;
                Ok(self.put(bundle))
            }
            None => Ok(false),
        }
    }

    /// Puts another bundle in force; `true` when it differs from the present one.
    pub fn replace(&self, bundle: TrustBundle) -> bool {
        let _replacing = self.0.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(bundle)
    }

    fn put(&self, bundle: TrustBundle) -> bool {
        let current = self.0.current.load();
        if current.bundle == bundle {
            return false;
        }
        self.0.current.store(Arc::new(Trust::new(bundle, current.generation + 1)));
        true
    }

    /// Grows by one with each change of the bundle.
    pub fn generation(&self) -> u64 {
        self.0.current.load().generation
    }

    /// The bundle in force. A verification reads it once, so that it sees one bundle only.
    pub(crate) fn current(&self) -> Arc<Trust> {
        self.0.current.load_full()
    }
}

impl Trust {
    fn new(bundle: TrustBundle, generation: u64) -> Self {
        let verifying = bundle.keys().iter().map(|key| VerifyingKey::new(&key.jwk)).collect();
        Trust { bundle, verifying, generation }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn issuer(&self) -> &str {
        self.bundle.issuer()
    }

    /// The Envoys that the bundle names.
    pub(crate) fn envoys(&self) -> &[TrustedEnvoy] {
        self.bundle.envoys()
    }

    /// The key with this id; a bundle has a handful, so that a search is as fast as a map.
    pub(crate) fn find(&self, kid: &str) -> Option<(&TrustedKey, &VerifyingKey)> {
        self.bundle.keys().iter().zip(&self.verifying).find(|(_, key)| key.kid() == kid)
    }
}

fn read(path: &Path) -> Result<TrustBundle, BundleError> {
    TrustBundle::parse(&std::fs::read_to_string(path).map_err(BundleError::Unreadable)?)
}
