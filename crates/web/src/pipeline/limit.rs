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
    Quota, RateLimitFields, RejectReason, Stranger, Unverified, over_limit, uncountable,
};
use mintmark_service::network::{Network, visitor_address};

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
}

/// What the gate made of a request: somebody, nobody in particular (the row asks for no credential), or a refusal.
pub(super) type Judged = Result<Option<Principal>, Fault>;

/// What a request says of itself before it is charged: all that may be needed to name whom it is charged to.
pub(super) struct Brought {
    /// The name of the credential, whatever it is worth.
    pub credential: Option<Stranger>,
    /// The tenant whose object a signed URL leads to, and the name of the URL, where its signature is good.
    pub signed_for: Option<(TenantId, Stranger)>,
    /// Where the request comes from.
    pub address: IpAddr,
}

/// What became of a charge.
pub(super) struct Charged {
    /// Whether the request passes.
    passed: Result<(), Fault>,
    /// What its answer says about its limits, whatever else that says.
    told: Option<Told>,
}

/// What the answer to a counted request says about its limits.
struct Told(RateLimitFields);

impl Counting {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limiter: limits.limiter,
            unverified: limits.unverified,
            trusted_proxies: limits.trusted_proxies,
        }
    }

    /// Charges a request for whoever it was found to come from.
    pub(super) async fn charge(&self, limit: Limit, brought: Brought, judged: &Judged) -> Charged {
        let nobody = |name: Stranger| (Owner::Stranger(name.clone()), Key::Stranger(name), NOBODYS);
        let Brought { credential, signed_for, address } = brought;
        let network = || Stranger::of_network(address);
        let mut budget = Budget::Requests;
        let (owner, key, tier) = match (judged, credential, signed_for) {
            // Who this is could not be found out, and nothing is done for it: there is nobody to charge.
            (Err(fault), ..) if fault.kind().http_status() >= 500 => return Charged::of(Ok(()), &[]),
            (Ok(Some(principal)), presented, _) => verified(principal, presented.unwrap_or_else(network)),
            (Err(_), Some(credential), _) => match self.unverified.charge(&network()) {
                Ok(()) => nobody(credential),
                Err(full) => return refused_here(full),
            },
            (Ok(None), _, Some((tenant, url))) => {
                budget = Budget::Downloads;
                (Owner::Tenant(tenant), Key::Stranger(url), SIGNED)
            }
            (Ok(None) | Err(_), ..) => nobody(network()),
        };
        let passes_uncounted = limit == Limit::Counted;
        match self.limiter.charge(Charge { budget, owner, key, tier, passes_uncounted }).await {
            Verdict::Passes(Some(answer)) => Charged::of(Ok(()), &answer.quotas()),
            Verdict::Passes(None) => Charged::of(Ok(()), &[]),
            Verdict::Refused(answer) => {
                let quotas = answer.quotas();
                let fault = over_limit(answer.reason.unwrap_or(RejectReason::KeyLimit), &quotas);
                Charged::of(Err(fault), &quotas)
            }
            Verdict::Unavailable { retry_after } => Charged::of(Err(uncountable(retry_after)), &[]),
        }
    }

    /// Where a request comes from.
    pub(super) fn address(&self, request: &ServiceRequest) -> IpAddr {
        let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        let lines = request.headers().get_all("x-forwarded-for").filter_map(|line| line.to_str().ok());
        let forwarded: Vec<&str> = lines.collect();
        visitor_address(peer, &forwarded, &self.trusted_proxies)
    }
}

/// The network's own budget is used up: nobody else is asked.
fn refused_here(full: Quota) -> Charged {
    let full = [full];
    Charged::of(Err(over_limit(RejectReason::KeyLimit, &full)), &full)
}

impl Charged {
    fn of(passed: Result<(), Fault>, quotas: &[Quota]) -> Self {
        let told = (!quotas.is_empty()).then(|| Told(RateLimitFields::of(quotas)));
        Self { passed, told }
    }

    /// Notes what the answer will say; whether the request passes.
    pub(super) fn noted(self, request: &ServiceRequest) -> Result<(), Fault> {
        if let Some(told) = self.told {
            request.extensions_mut().insert(told);
        }
        self.passed
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
pub(super) fn name_of_url(request: &ServiceRequest) -> Stranger {
    Stranger::of_credential(request.uri().path_and_query().map_or("", |url| url.as_str()))
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
