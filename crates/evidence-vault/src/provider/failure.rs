//! What goes wrong with keys, as a client hears it; the cause is for the log.

use std::error::Error;
use std::time::Duration;

use mintmark_fault::{Fault, Kind};

/// 500: cryptography does not fail on good input, so it was our mistake, or the kernel has no randomness.
pub(super) fn crypto(_: ring::error::Unspecified) -> Fault {
    Fault::internal("a cryptographic operation failed on input that we made")
}

/// 503: the provider is away.
pub(super) fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync + 'static>>) -> Fault {
    Fault::unavailable(
        "KEYS_UNAVAILABLE",
        "the store of the keys does not answer; nothing was changed, try again in a moment",
    )
    .retry_after(Duration::from_secs(5))
    .caused_by(cause)
}

/// 410: a tombstone stands.
pub(super) fn shredded() -> Fault {
    Fault::new(Kind::Gone, "EVIDENCE_SHREDDED", "this record was shredded: nobody can read it any more")
}

/// 410: the key is no longer there.
pub(super) fn destroyed() -> Fault {
    Fault::new(
        Kind::Gone,
        "EVIDENCE_KEY_DESTROYED",
        "the key that this record was encrypted under does not exist any more",
    )
}

/// 500: what is stored does not belong together. Which part, only the log learns.
pub(super) fn damaged(cause: impl Into<Box<dyn Error + Send + Sync + 'static>>) -> Fault {
    Fault::new(
        Kind::Internal,
        "EVIDENCE_KEY_DAMAGED",
        "the stored key of this record does not belong to it, or was altered; operators have to look at it",
    )
    .caused_by(cause)
}
