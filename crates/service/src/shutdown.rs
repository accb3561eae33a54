//! The one request to end, seen by everything in the process.

use std::future::Future;

use tokio_util::sync::CancellationToken;

/// The request to end. Cheap to clone; all clones are the same request.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// Not requested yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Completes when the end is requested; at once if it already is.
    pub fn requested(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.clone().cancelled_owned()
    }

    /// Whether the end is requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Requests the end. It cannot be taken back.
    pub fn trigger(&self) {
        self.0.cancel();
    }

    /// The request as a cancellation token, for code that knows nothing of this crate. Cancelling it requests the end.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.0.clone()
    }
}
