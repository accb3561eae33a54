//! The only place with diesel and SQL.
//!
//! Whatever reads or changes a tenant's rows takes the tenant from a [`Mandate`]: a permit of the policy, or the permit of a
//! claimed job. Facts belong to nobody: they are found through a job of the tenant's own.

pub mod changes;
pub mod counts;
pub mod jobs;
pub mod policies;
pub mod results;
pub mod running;
pub mod schema;
pub mod telemetry;

use std::fmt::Display;

use mintmark_auth::policy::{Action, OnTenant, Permit};
use mintmark_fault::{Fault, Result};
use mintmark_ids::TenantId;
use mintmark_jobs::{JobKind, JobPermit};

/// Leave to touch the rows of one tenant. Implemented for permits, which only the policy and a job's claim can make, and for
/// [`running::Buried`], by which a job that its queue gives up is closed.
pub trait Mandate: Send + Sync {
    /// Whose rows.
    fn tenant(&self) -> &TenantId;
}

impl<A: Action<On = OnTenant>> Mandate for Permit<A> {
    fn tenant(&self) -> &TenantId {
        Permit::tenant(self)
    }
}

impl<K: JobKind> Mandate for JobPermit<K> {
    fn tenant(&self) -> &TenantId {
        JobPermit::tenant(self)
    }
}

/// Reads a stored value that a constraint of the table guarantees; anything else is our mistake, not the client's.
pub(crate) fn stored<T, E: Display>(column: &'static str, parsed: std::result::Result<T, E>) -> Result<T> {
    parsed.map_err(|error| Fault::internal(format!("{column} holds a value that cannot be: {error}")))
}
