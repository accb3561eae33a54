//! The stage that counts every request: after its credential was judged, before anything is done for it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use mintmark_auth::{Principal, Tier};
use mintmark_fault::Fault;
use mintmark_ids::TenantId;
use mintmark_service::limit::{
    KeyLabel, LimitAnswer, LimitMetrics, Quota, RateLimitFields, RejectReason, Stranger, over_limit,
    uncountable,
};
use mintmark_service::network::{Network, visitor_address};

use super::unverified::Unverified;
use crate::limit::{Budget, Charge, Key, Limit, Limiter, Limits, Owner, Verdict};

/// Whoever is nobody has the least.
const NOBODYS: Tier = Tier::Free;
/// We gave the URL away ourselves, in answer to a request that was counted, and how many a pack has follows from the pack:
/// whoever fetches it is not to be refused for a tier that is about requests.
const SIGNED: Tier = Tier::Enterprise;

/// What all rows of a limited edge share.
pub(crate) struct Counting {
    limiter: Arc<dyn Limiter>,
    unverified: Unverified,
    trusted_proxies: Vec<Network>,
    metrics: LimitMetrics,
}

/// What the gate made of a request: somebody, nobody in particular (the row asks for no credential), or a refusal.
pub(super) type Judged = Result<Option<Principal>, Fault>;

/// What a credential that the gate does not judge says of a request, before it is charged.
pub(super) struct Brought {
    /// The name of the credential, whatever it is worth.
    pub credential: Option<Stranger>,
    /// The tenant whose object a signed URL leads to, where its signature is good.
    pub signed_for: Option<TenantId>,
}

/// What the answer to a counted request says about its limits.
struct Told(RateLimitFields);

impl Counting {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limiter: limits.limiter,
            unverified: Unverified::new(limits.unverified, limits.window),
            trusted_proxies: limits.trusted_proxies,
            // What is counted here has no API key.
            metrics: LimitMetrics::new(0),
        }
    }

    /// Charges a request for whoever it was found to come from.
    pub(super) async fn charge(
        &self,
        limit: Limit,
        brought: Brought,
        judged: &Judged,
        request: &ServiceRequest,
    ) -> Result<(), Fault> {
        let nobody = |name: Stranger| (Owner::Stranger(name.clone()), Key::Stranger(name), NOBODYS);
        let mut budget = Budget::Requests;
        let (owner, key, tier) = match (judged, brought.credential, brought.signed_for) {
            // Who this is could not be found out, and nothing is done for it: there is nobody to charge.
            (Err(fault), ..) if fault.kind().http_status() >= 500 => return Ok(()),
            (Ok(Some(principal)), presented, _) => {
                verified(principal, presented.unwrap_or_else(|| self.network(request)))
            }
            (Err(_), Some(credential), _) => {
                self.unverified
                    .charge(&self.network(request))
                    .map_err(|full| self.refused_here(full, request))?;
                nobody(credential)
            }
            (Ok(None), _, Some(tenant)) => {
                budget = Budget::Downloads;
                (Owner::Tenant(tenant), Key::Stranger(name_of_url(request)), SIGNED)
            }
            (Ok(None) | Err(_), ..) => nobody(self.network(request)),
        };
        let passes_uncounted = limit == Limit::Counted;
        match self.limiter.charge(Charge { budget, owner, key, tier, passes_uncounted }).await {
            Verdict::Passes(answer) => {
                if let Some(answer) = answer {
                    tell(request, &answer.quotas());
                }
                Ok(())
            }
            Verdict::Refused(answer) => Err(refused(&answer, request)),
            Verdict::Unavailable { retry_after } => Err(uncountable(retry_after)),
        }
    }

    fn network(&self, request: &ServiceRequest) -> Stranger {
        let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        let lines = request.headers().get_all("x-forwarded-for").filter_map(|line| line.to_str().ok());
        let forwarded: Vec<&str> = lines.collect();
        Stranger::of_network(visitor_address(peer, &forwarded, &self.trusted_proxies))
    }

    /// The network's own budget is used up: nobody else is asked.
    fn refused_here(&self, full: Quota, request: &ServiceRequest) -> Fault {
        let reason = RejectReason::KeyLimit;
        self.metrics.rejected(NOBODYS.as_str(), KeyLabel::None, reason);
        let full = [full];
        tell(request, &full);
        over_limit(reason, &full)
    }
}

/// Whom a verified caller is counted for. Only an API key's id stands for itself; everything else is named by its hash.
fn verified(principal: &Principal, credential: Stranger) -> (Owner, Key, Tier) {
    match principal {
        Principal::Control(_) => {
            (Owner::Stranger(credential.clone()), Key::Stranger(credential), Tier::Enterprise)
        }
        Principal::Session(session) => {
            (Owner::Tenant(session.tenant().clone()), Key::Stranger(credential), session.tier())
        }
        Principal::ApiKey(caller) => {
            (Owner::Tenant(caller.tenant().clone()), Key::ApiKey(caller.id()), caller.tier())
        }
        Principal::Service(caller) => {
            (Owner::Tenant(caller.tenant().clone()), Key::Stranger(credential), caller.tier())
        }
    }
}

/// Its signature makes it a credential.
fn name_of_url(request: &ServiceRequest) -> Stranger {
    Stranger::of_credential(request.uri().path_and_query().map_or("", |url| url.as_str()))
}

fn refused(answer: &LimitAnswer, request: &ServiceRequest) -> Fault {
    let quotas = answer.quotas();
    tell(request, &quotas);
    over_limit(answer.reason.unwrap_or(RejectReason::KeyLimit), &quotas)
}

fn tell(request: &ServiceRequest, quotas: &[Quota]) {
    request.extensions_mut().insert(Told(RateLimitFields::of(quotas)));
}

/// Writes what is left into the answer, whatever that is.
pub(super) fn complete(request: &actix_web::HttpRequest, headers: &mut HeaderMap) {
    let extensions = request.extensions();
    let Some(Told(fields)) = extensions.get::<Told>() else { return };
    for (name, text) in [(RateLimitFields::POLICY, &fields.policy), (RateLimitFields::LIMIT, &fields.limit)] {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
