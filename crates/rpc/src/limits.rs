//! Calls of clients count: each once, after its token was judged and before its message is read.

use std::net::{IpAddr, Ipv4Addr};

use http::Request;
use mintmark_auth::{ServiceCaller, Tier};
use mintmark_fault::Fault;
use mintmark_service::limit::{self, RejectReason, Stranger, Unverified};
use mintmark_service::network::{Network, visitor_address};
use tonic::Status;
use tonic::body::Body;

use crate::client::{Decision, LimitKey, LimitRequest, Owner, Ratelimit};
use crate::secure::Connection;
use crate::{over_limit, status};

/// Whoever is nobody has the least.
const NOBODYS: Tier = Tier::Free;

/// What an edge needs to limit its calls.
///
/// Whom a call is charged to is what it is at an HTTP edge: a token that verified counts for its tenant at the tenant's tier,
/// with the hash of the token as key; one that did not is first charged in process to its /24 or /48, and below that budget
/// by its hash at the least tier; a call without one counts for its network. Over a limit: RESOURCE_EXHAUSTED. Nobody can
/// count, and the mode is closed: UNAVAILABLE.
pub struct Limits {
    /// Who counts.
    pub limiter: Ratelimit,
    /// What shares a budget: that of the service's HTTP edge, where both are doors of one house.
    pub namespace: &'static str,
    /// Credentials that did not verify which one network may bring in a window; a clone of what the HTTP edge has.
    pub unverified: Unverified,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Methods by which services of ours do work of their own. A call of one that a service makes in its own name
    /// ([`ServiceCaller::is_own_call`]), on its own connection where connections have owners, is not counted: what we do in
    /// the background neither waits for a tenant's budget nor uses it up.
    pub own_work: &'static [&'static str],
}

impl Limits {
    /// Names whom a call of the method at `path` is charged to; nobody where it is a service's own work. `presented` is the
    /// credential, which the request has no more, and `judged` what it was found to be.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED where its network has brought too many credentials that did not verify.
    pub(crate) fn charge(
        &self,
        path: &str,
        presented: Option<&str>,
        request: &Request<Body>,
        judged: &Result<ServiceCaller, Fault>,
    ) -> Result<Option<LimitRequest>, Status> {
        let credential = presented.map(Stranger::of_credential);
        let network = || Stranger::of_network(self.address(request));
        let (owner, key, tier) = match (judged, credential) {
            (Ok(caller), _) if self.is_own_work(path, caller, request) => return Ok(None),
            (Ok(caller), credential) => {
                (Owner::Tenant(caller.tenant().clone()), credential.unwrap_or_else(network), caller.tier())
            }
            (Err(_), credential) => {
                if credential.is_some() {
                    let refused = |full| status(limit::over_limit(RejectReason::KeyLimit, &[full]));
                    self.unverified.charge(&network()).map_err(refused)?;
                }
                let name = credential.unwrap_or_else(network);
                (Owner::Stranger(name.clone()), name, NOBODYS)
            }
        };
        let (namespace, key) = (self.namespace, LimitKey::Stranger(key));
        Ok(Some(LimitRequest { namespace, owner, key, tier, cost: 1, passes_uncounted: false }))
    }

    /// Whether a call that was charged may pass.
    pub(crate) async fn check(&self, charge: &LimitRequest) -> Result<(), Status> {
        match self.limiter.check(charge).await {
            Decision::Allowed(_) | Decision::PassedOpen | Decision::Off => Ok(()),
            Decision::Limited(answer) => Err(over_limit(&answer)),
            Decision::Unavailable { retry_after } => Err(status(limit::uncountable(retry_after))),
        }
    }

    fn is_own_work(&self, path: &str, caller: &ServiceCaller, request: &Request<Body>) -> bool {
        let peer = Connection::of(request).and_then(|connection| connection.peer.as_ref());
        self.own_work.contains(&path)
            && caller.is_own_call()
            && peer.is_none_or(|peer| peer.is(caller.service()))
    }

    fn address(&self, request: &Request<Body>) -> IpAddr {
        let from = Connection::of(request).and_then(|connection| connection.address);
        let lines = request.headers().get_all("x-forwarded-for").iter();
        let forwarded: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
        let from = from.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        visitor_address(from, &forwarded, &self.trusted_proxies)
    }
}
