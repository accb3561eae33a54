//! Whom a request is counted for, who counts it, and what an edge needs for that.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use futures::future::BoxFuture;
use mintmark_auth::Tier;
use mintmark_ids::{ApiKeyId, TenantId};
use mintmark_service::limit::{LimitAnswer, Stranger, Unverified};
use mintmark_service::network::Network;

use crate::Access;

/// How a route is limited. A row that says nothing is limited; under the control token it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Counted; refused over its limit, and while nobody can count it where the mode is closed.
    Limited,
    /// Counted; refused over its limit, and never because nobody can count it: what an outage must not take away.
    Counted,
    /// Not counted: public documents that other services live on.
    Exempt,
}

impl Limit {
    /// That of a row which states none.
    pub(crate) fn of(access: Access) -> Self {
        match access {
            Access::ControlToken => Self::Counted,
            Access::Public | Access::Session | Access::SessionOrKey | Access::Preflight | Access::Signed => {
                Self::Limited
            }
        }
    }
}

/// Whose tenant bucket a request is charged to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A tenant's.
    Tenant(TenantId),
    /// Somebody's without a tenant: the hash of a credential, or a network.
    Stranger(Stranger),
}

/// Whose key bucket a request is charged to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// An API key's.
    ApiKey(ApiKeyId),
    /// Any other credential's or network's.
    Stranger(Stranger),
}

/// What shares a budget: each has counters of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Budget {
    /// Requests with a credential, and those of nobody.
    Requests,
    /// Requests by a signed URL whose signature is good.
    Downloads,
}

/// Whose object a signed URL leads to: the tenant, where signature and expiry are good. The gate asks this to know whom to
/// charge; the handler verifies for itself.
pub type SignedFor = Arc<dyn Fn(&HttpRequest) -> Option<TenantId> + Send + Sync>;

/// One request that wants to pass, named as far as its credential was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Which counters are charged.
    pub budget: Budget,
    /// Whose tenant bucket is charged.
    pub owner: Owner,
    /// Whose key bucket is charged.
    pub key: Key,
    /// The tier of the credential.
    pub tier: Tier,
    /// Whether it passes while nobody can count it, whatever the mode.
    pub passes_uncounted: bool,
}

/// What becomes of a request. Whoever says so has counted the rejection in `rate_limit_rejected_total`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes; with what is left, where it was counted.
    Passes(Option<LimitAnswer>),
    /// It is over a limit: 429.
    Refused(LimitAnswer),
    /// Nobody can count it and the mode is closed: 503.
    Unavailable {
        /// When the same request may be tried again.
        retry_after: Duration,
    },
}

/// Counts requests. Called once for each request to a row that is counted, after its credential was judged.
pub trait Limiter: Send + Sync + 'static {
    /// What becomes of this request.
    fn charge(&self, charge: Charge) -> BoxFuture<'_, Verdict>;
}

/// What an edge needs to limit its requests.
pub struct Limits {
    /// Who counts.
    pub limiter: Arc<dyn Limiter>,
    /// Credentials that did not verify which one /24 or /48 may bring in a window; those beyond are refused in process, so
    /// that random tokens make no counters.
    pub unverified: Unverified,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
}
