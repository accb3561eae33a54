//! The token's library: one context a process, whatever number of providers use it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock, RwLockReadGuard, TryLockError};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::slot::Slot;
use tokio::sync::Semaphore;

/// Sessions that work at the same time.
const SESSIONS: usize = 4;
/// Between two looks whether everybody has left a library that is to be started again.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Two contexts of one library in one process would finalise each other.
static LOADED: LazyLock<Mutex<HashMap<PathBuf, Arc<Library>>>> = LazyLock::new(Mutex::default);

/// A library, initialised.
pub(super) struct Library {
    pkcs11: Pkcs11,
    /// How often it was started. Who works holds it for reading; handles of an earlier start mean nothing, or worse:
    /// somebody else's session.
    started: RwLock<u64>,
    /// How many may work at once.
    pub(super) permits: Arc<Semaphore>,
}

impl Library {
    /// Loads it, or gives the one that is loaded.
    pub(super) fn load(path: &Path) -> Result<Arc<Self>, Error> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = loaded.get(path) {
            return Ok(Arc::clone(library));
        }
        let pkcs11 = Pkcs11::new(path)?;
        initialize(&pkcs11)?;
        let permits = if finds_race(&pkcs11)? { 1 } else { SESSIONS };
        let library =
            Arc::new(Self { pkcs11, started: RwLock::new(1), permits: Arc::new(Semaphore::new(permits)) });
        loaded.insert(path.to_owned(), Arc::clone(&library));
        Ok(library)
    }

    /// The context, and which start of it this is, for as long as the guard lives.
    pub(super) fn enter(&self) -> Inside<'_> {
        Inside { pkcs11: &self.pkcs11, start: self.started.read().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Finalises and initialises the library, unless somebody did since `start`: the last means against a token that was
    /// away. Waits for calls that are under way, at most until `deadline`.
    pub(super) fn restart(&self, start: u64, deadline: Instant) -> Result<(), Error> {
        let mut started = loop {
            match self.started.try_write() {
                Ok(started) => break started,
                Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Ok(()),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK_EVERY),
            }
        };
        if *started != start {
            return Ok(());
        }
        *started += 1;
        match self.pkcs11.clone().finalize() {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => {}
            Err(error) => return Err(error),
        }
        initialize(&self.pkcs11)
    }
}

/// Inside the library: it is not finalised meanwhile.
pub(super) struct Inside<'a> {
    /// The context.
    pub(super) pkcs11: &'a Pkcs11,
    start: RwLockReadGuard<'a, u64>,
}

impl Inside<'_> {
    /// Which start of the library this is.
    pub(super) fn start(&self) -> u64 {
        *self.start
    }

    /// The slot of the token with this label.
    pub(super) fn slot(&self, label: &str) -> Result<Option<Slot>, Error> {
        for slot in self.pkcs11.get_slots_with_initialized_token()? {
            // A token that is pulled out between the two calls is not the one.
            if self.pkcs11.get_token_info(slot).is_ok_and(|token| token.label() == label) {
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }
}

fn initialize(pkcs11: &Pkcs11) -> Result<(), Error> {
    match pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        other => other,
    }
}

/// SoftHSM before 2.7 has a race between two threads that look for objects (its issue 576).
fn finds_race(pkcs11: &Pkcs11) -> Result<bool, Error> {
    let info = pkcs11.get_library_info()?;
    let version = (info.library_version().major(), info.library_version().minor());
    Ok(info.manufacturer_id().contains("SoftHSM") && version < (2, 7))
}
