//! The only place with diesel and SQL.
//!
//! Whatever reads or changes a tenant's rows takes the tenant from a [`Mandate`]: a permit of the policy, or the permit
//! of a claimed job. The few functions that run before there can be one (who is calling, which brand does this batch
//! belong to) say so and return no more than the policy needs.

pub mod api_keys;
pub mod audit_exports;
pub mod audit_log;
pub mod batches;
pub mod brands;
pub mod disputes;
pub mod events;
pub mod exports;
pub mod idempotency;
pub mod key_leases;
pub mod memberships;
pub mod minting;
pub mod operations;
pub mod page;
pub mod preflight_jobs;
pub mod presentation;
pub mod presented_keys;
pub mod products;
pub mod scans;
pub mod schema;
pub mod scopes;
pub mod standing;
pub mod tenants;
pub mod users;

use std::fmt::Display;

use mintmark_auth::Actor;
use mintmark_auth::policy::{Action, Permit, Within};
use mintmark_fault::{Fault, Result};
use mintmark_ids::TenantId;
use mintmark_jobs::{JobKind, JobPermit};

/// Leave to touch the rows of one tenant in the name of one actor.
///
/// Implemented for permits alone, which only the policy and a job's claim can make: a store function that asks for one
/// cannot be reached without an authorisation.
pub trait Mandate: Send + Sync {
    /// Whose rows.
    fn tenant(&self) -> &TenantId;
    /// In whose name.
    fn actor(&self) -> &Actor;
}

impl<A: Action> Mandate for Permit<A>
where
    A::On: Within,
{
    fn tenant(&self) -> &TenantId {
        Permit::tenant(self)
    }

    fn actor(&self) -> &Actor {
        Permit::actor(self)
    }
}

impl<K: JobKind> Mandate for JobPermit<K> {
    fn tenant(&self) -> &TenantId {
        JobPermit::tenant(self)
    }

    fn actor(&self) -> &Actor {
        JobPermit::actor(self)
    }
}

/// Reads a stored value that a constraint of the table guarantees; anything else is our mistake, not the client's.
fn stored<T, E: Display>(column: &'static str, parsed: std::result::Result<T, E>) -> Result<T> {
    parsed.map_err(|e| Fault::internal(format!("{column} holds a value that cannot be: {e}")))
}

/// A count or serial, which the tables keep as signed integers above zero.
fn unsigned<T: TryInto<U>, U>(column: &'static str, value: T) -> Result<U>
where
    T::Error: Display,
{
    stored(column, value.try_into())
}
