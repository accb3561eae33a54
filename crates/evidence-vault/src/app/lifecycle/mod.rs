//! What happens to a record after its upload without anybody asking: erasure, the end of keys, and setting right what a
//! crash or a restored backup left.
//!
//! Everything here goes in steps that may each be repeated, and a step that is done changes nothing: whoever comes after a
//! crash goes on with what the rows and the provider say. Where the two differ the provider is right.

mod events;
mod keys;
mod recompute;
mod reconcile;
mod shred;
mod sweep;
mod timer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mintmark_auth::Actor;
use mintmark_db::Conn;
use mintmark_fault::Result;
use mintmark_ids::{ServiceName, TenantId};
use tokio::sync::OwnedMutexGuard;

use super::evidence::Evidence;

pub use keys::Rewrapped;
pub use recompute::Recomputed;
pub use reconcile::Reconciled;

/// In whose name the vault does what nobody asked for.
pub const VAULT: Actor = Actor::Service(ServiceName::EvidenceVault);

/// How the lifecycle runs.
#[derive(Clone, Copy, Debug)]
pub struct LifecycleConfig {
    /// How often what is due is looked for.
    pub run_every: Duration,
    /// Records of one batch: so many are erased with one commit of each step.
    pub batch: usize,
    /// After this an upload that has not ended was given up.
    pub abandoned_after: Duration,
}

impl LifecycleConfig {
    /// Batches of 256; an upload is given up after a day.
    pub const fn every(run_every: Duration) -> Self {
        LifecycleConfig { run_every, batch: 256, abandoned_after: Duration::from_secs(86_400) }
    }
}

/// The life of records and keys after the upload. Cheap to clone.
#[derive(Clone)]
pub struct Lifecycle {
    parts: Evidence,
    config: LifecycleConfig,
    busy: Arc<Mutex<HashMap<TenantId, Arc<Alone>>>>,
}

/// Held by the one job of this process that works on a tenant.
type Alone = tokio::sync::Mutex<()>;

impl Lifecycle {
    /// Of the vault that is made of these parts.
    pub fn new(parts: Evidence, config: LifecycleConfig) -> Self {
        Lifecycle { parts, config, busy: Arc::default() }
    }

    /// Waits until no other job of this process works on the tenant.
    pub async fn alone(&self, tenant: &TenantId) -> OwnedMutexGuard<()> {
        let lock = {
            let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(busy.entry(tenant.clone()).or_default())
        };
        lock.lock_owned().await
    }

    async fn conn(&self) -> Result<Conn> {
        self.parts.pool.get().await
    }

    fn batch(&self) -> i64 {
        i64::try_from(self.config.batch).unwrap_or(i64::MAX)
    }
}
