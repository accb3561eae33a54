//! What all running jobs of a worker share.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use mintmark_db::Pool;
use tokio_util::sync::CancellationToken;

use crate::JobFailure;
use crate::claimed::Claimed;
use crate::hook::ErasedHook;
use crate::lease::Lease;

/// A handler whose kind is forgotten.
pub(crate) type ErasedHandler =
    Arc<dyn Fn(&Claimed, Arc<Lease>, Pool) -> BoxFuture<'static, Result<(), JobFailure>> + Send + Sync>;

/// Shared by the worker's loop and its running jobs.
pub(crate) struct Crew {
    pub(crate) pool: Pool,
    pub(crate) lease: Duration,
    /// First pause between attempts; doubles.
    pub(crate) backoff: Duration,
    pub(crate) handlers: HashMap<&'static str, ErasedHandler>,
    pub(crate) on_dead: HashMap<&'static str, ErasedHook>,
    pub(crate) on_cancelled: HashMap<&'static str, ErasedHook>,
    /// Fires when the grace of a shutdown is over.
    pub(crate) interrupt: CancellationToken,
}
