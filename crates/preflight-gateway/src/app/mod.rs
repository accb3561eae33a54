//! What the gateway does, a file a use case, without a framework.

pub mod changes;
pub mod create;
pub mod intent;
pub mod job;
pub mod jobs;
pub mod metrics;
pub mod names;
pub mod policies;
pub mod ruleset;
pub mod telemetry;

use mintmark_auth::Principal;
use mintmark_auth::policy::{Action, OnTenant, Permit, authorize};
use mintmark_fault::{Fault, Result};

/// Longest name of an asker that is kept, in characters.
const ASKER_CHARS: usize = 200;

/// The permit for the caller's own tenant: no request names another.
///
/// # Errors
/// 401 for whoever brought no PREFLIGHT_JWT; 403 with `requiredScope` and `grantedScopes`.
pub fn permit<A: Action<On = OnTenant>>(who: &Principal) -> Result<Permit<A>> {
    let tenant = who.tenant().cloned().ok_or_else(Fault::unauthenticated)?;
    authorize::<A>(who, OnTenant(tenant))
}

/// Under which name a caller is written down: `sub` of its token.
#[must_use]
pub fn asker(who: &Principal) -> String {
    match who {
        Principal::Service(caller) => caller.subject().chars().take(ASKER_CHARS).collect(),
        other => other.actor().to_string(),
    }
}
