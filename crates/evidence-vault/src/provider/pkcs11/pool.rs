//! Sessions that are logged in, kept and renewed; calls on threads that may wait, with a limit on time.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use mintmark_fault::{Fault, Result};

use super::super::failure::unavailable;
use super::library::{Inside, Library};

/// Between two attempts to reach a token that is away.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a call on a session failed.
pub(super) enum Trouble {
    /// The token said so: another session may do better.
    Token(Error),
    /// It is the answer.
    Answer(Fault),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Token(error)
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Trouble::Answer(fault)
    }
}

pub(super) type Called<T> = std::result::Result<T, Trouble>;

/// Why a token cannot be reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum Away {
    #[error("no token has the label \"{0}\"")]
    NoToken(String),
    /// A further attempt would lock the token.
    #[error("the token refused the PIN; it is not tried again before a restart")]
    Pin,
    #[error("the token does not work")]
    Token(#[from] Error),
}

/// A session and the start of the library that it belongs to.
struct Kept {
    session: Session,
    start: u64,
}

/// Sessions of one token.
pub(super) struct Pool {
    library: Arc<Library>,
    label: String,
    pin: AuthPin,
    /// Never closed while the library runs: with its last session an application is logged out.
    idle: Mutex<Vec<Kept>>,
    pin_refused: AtomicBool,
    limit: Duration,
}

impl Pool {
    pub(super) fn new(
        module: &Path,
        label: &str,
        pin: AuthPin,
        limit: Duration,
    ) -> std::result::Result<Self, Error> {
        Ok(Self {
            library: Library::load(module)?,
            label: label.to_owned(),
            pin,
            idle: Mutex::default(),
            pin_refused: AtomicBool::new(false),
            limit,
        })
    }

    /// Runs a call, which is repeated on another session where a session died: it must bear that.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        call: impl Fn(&Session) -> Called<T> + Send + 'static,
    ) -> Result<T> {
        self.run_within(self.limit, call).await
    }

    /// The same with a limit on time of its own.
    pub(super) async fn run_within<T: Send + 'static>(
        self: &Arc<Self>,
        limit: Duration,
        call: impl Fn(&Session) -> Called<T> + Send + 'static,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        let permit = tokio::time::timeout(limit, Arc::clone(&self.library.permits).acquire_owned());
        let permit = permit.await.map_err(unavailable)?.map_err(unavailable)?;
        let pool = Arc::clone(self);
        let called = tokio::task::spawn_blocking(move || {
            // Kept until the library gives the thread back, however long that is.
            let _permit = permit;
            pool.call(&call, deadline)
        });
        let left = deadline.saturating_duration_since(Instant::now());
        tokio::time::timeout(left, called).await.map_err(unavailable)?.map_err(Fault::internal)?
    }

    /// The same on this thread.
    pub(super) fn call<T>(&self, call: &impl Fn(&Session) -> Called<T>, deadline: Instant) -> Result<T> {
        let mut renewed = false;
        loop {
            let inside = self.library.enter();
            let start = inside.start();
            let away = match self.session(&inside) {
                Ok(kept) => match call(&kept.session) {
                    Ok(result) => {
                        self.keep(kept);
                        return Ok(result);
                    }
                    Err(Trouble::Answer(fault)) => {
                        self.keep(kept);
                        return Err(fault);
                    }
                    Err(Trouble::Token(error)) => {
                        let _dead_or_closed = kept.session.close();
                        Away::Token(error)
                    }
                },
                Err(away) => away,
            };
            drop(inside);
            let hopeless = matches!(away, Away::Pin) || !may_pass(&away);
            if hopeless || Instant::now() + PAUSE >= deadline {
                return Err(unavailable(away));
            }
            // First a new session; then the library anew, which alone sees a token that was away.
            if renewed || !matches!(away, Away::Token(_)) {
                self.forget();
                if let Err(error) = self.library.restart(start, deadline) {
                    tracing::warn!(%error, "the library of the token does not start again");
                }
                std::thread::sleep(PAUSE);
            }
            renewed = true;
        }
    }

    fn session(&self, inside: &Inside<'_>) -> std::result::Result<Kept, Away> {
        let start = inside.start();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| kept.start == start);
        if let Some(kept) = idle.pop() {
            return Ok(kept);
        }
        drop(idle);
        if self.pin_refused.load(Ordering::Relaxed) {
            return Err(Away::Pin);
        }
        let slot = inside.slot(&self.label)?.ok_or_else(|| Away::NoToken(self.label.clone()))?;
        // Dropping it does not close it: its number may be another's after a restart of the library.
        let session = inside.pkcs11.open_rw_session_no_drop(slot)?;
        match session.login(UserType::User, Some(&self.pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(Kept { session, start }),
            Err(error) => {
                let _closed = session.close();
                let refused = [RvError::PinIncorrect, RvError::PinLocked, RvError::PinExpired];
                if matches!(&error, Error::Pkcs11(code, _) if refused.contains(code)) {
                    self.pin_refused.store(true, Ordering::Relaxed);
                    return Err(Away::Pin);
                }
                Err(Away::Token(error))
            }
        }
    }

    fn keep(&self, kept: Kept) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
    }

    fn forget(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether the token knows this mechanism.
    pub(super) fn knows(
        &self,
        mechanism: cryptoki::mechanism::MechanismType,
    ) -> std::result::Result<bool, Away> {
        let inside = self.library.enter();
        let slot = inside.slot(&self.label)?.ok_or_else(|| Away::NoToken(self.label.clone()))?;
        Ok(inside.pkcs11.get_mechanism_list(slot)?.contains(&mechanism))
    }
}

/// Whether a new session, or the library anew, may bring a token back.
fn may_pass(away: &Away) -> bool {
    let Away::Token(Error::Pkcs11(code, _)) = away else { return matches!(away, Away::NoToken(_)) };
    matches!(
        code,
        RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::UserNotLoggedIn
            | RvError::DeviceError
            | RvError::DeviceRemoved
            | RvError::DeviceMemory
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::SlotIdInvalid
            | RvError::CryptokiNotInitialized
            | RvError::GeneralError
            | RvError::FunctionFailed
            | RvError::OperationActive
            | RvError::OperationNotInitialized
            // Another process destroyed the object since it was found.
            | RvError::ObjectHandleInvalid
            | RvError::KeyHandleInvalid
    )
}

/// The path of the library, made absolute where that can be: two names of one library are one library.
pub(super) fn real_path(module: &Path) -> PathBuf {
    module.canonicalize().unwrap_or_else(|_| module.to_owned())
}
