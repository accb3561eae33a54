//! The rate limiter, as the edge asks it.

use mintmark_rpc::client::{self, Decision, LimitKey, LimitRequest, Ratelimit};
use mintmark_web::{BoxFuture, Budget, Charge, Key, Limiter, Owner, Verdict};

/// What all routes of this service share a budget under, and the methods of its gRPC edge with them.
pub const NAMESPACE: &str = "preflight-gateway";
/// What fetching files by signed URLs is counted under.
const DOWNLOADS: &str = "preflight-gateway-downloads";

/// Has every request of this edge counted.
pub struct Counted(pub Ratelimit);

impl Limiter for Counted {
    fn charge(&self, charge: Charge) -> BoxFuture<'_, Verdict> {
        Box::pin(async move {
            match self.0.check(&request(charge)).await {
                Decision::Allowed(answer) => Verdict::Passes(Some(answer)),
                Decision::Limited(answer) => Verdict::Refused(answer),
                Decision::Unavailable { retry_after } => Verdict::Unavailable { retry_after },
                Decision::PassedOpen | Decision::Off => Verdict::Passes(None),
            }
        })
    }
}

fn request(charge: Charge) -> LimitRequest {
    LimitRequest {
        namespace: match charge.budget {
            Budget::Requests => NAMESPACE,
            Budget::Downloads => DOWNLOADS,
        },
        owner: match charge.owner {
            Owner::Tenant(tenant) => client::Owner::Tenant(tenant),
            Owner::Stranger(name) => client::Owner::Stranger(name),
        },
        key: match charge.key {
            Key::ApiKey(id) => LimitKey::ApiKey(id),
            Key::Stranger(name) => LimitKey::Stranger(name),
        },
        tier: charge.tier,
        cost: 1,
        passes_uncounted: charge.passes_uncounted,
    }
}
