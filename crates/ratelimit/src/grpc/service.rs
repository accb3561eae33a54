//! `mintmark.ratelimit.v1.RatelimitService`.

use std::mem;

use mintmark_auth::action::CheckRateLimit;
use mintmark_auth::{OnTenant, Permit, Principal, Tier, authorize, scope};
use mintmark_fault::{Chain, Fault};
use mintmark_rpc::{Rpc, caller, status};
use mintmark_service::limit::{Bucket, LimitAnswer, RejectReason};
use mintmark_wire::ratelimit::v1::ratelimit_service_server::{RatelimitService, RatelimitServiceServer};
use mintmark_wire::ratelimit::v1::{self as wire, CheckRequest, CheckResponse};
use tonic::{Request, Response, Status};

use crate::app::limiter::{Asked, Charge, Judgement, Limiter};
use crate::app::names::{Name, Namespace, Owner};

/// The most that one request may cost.
const MOST: u32 = 1_000_000;
/// The most others that one request may come with.
const TOGETHER: usize = 64;

/// The service, and the table of what its methods need.
pub struct RatelimitRpc {
    limiter: Limiter,
}

impl RatelimitRpc {
    /// What each method needs.
    pub const METHODS: [Rpc; 1] =
        [Rpc { path: "/mintmark.ratelimit.v1.RatelimitService/Check", scope: scope::RATELIMIT_CHECK }];

    /// The generated server around it.
    #[must_use]
    pub fn server(limiter: Limiter) -> RatelimitServiceServer<Self> {
        RatelimitServiceServer::new(Self { limiter })
    }
}

#[tonic::async_trait]
impl RatelimitService for RatelimitRpc {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let who = caller(&request)?;
        let mut message = request.into_inner();
        let also = mem::take(&mut message.also);
        if also.is_empty() {
            let judged = self.judge(&[read(&who, message).map_err(status)?]).await.pop();
            return Ok(Response::new(judged.unwrap_or_else(|| Err(unanswered())).map_err(status)?));
        }
        if also.len() > TOGETHER || also.iter().any(|message| !message.also.is_empty()) {
            let sentence = "a request may come with 64 others, and those with none";
            return Err(status(Fault::invalid("TOO_MANY_REQUESTS", "also", sentence)));
        }
        // All of them are read before one is charged.
        let asked: Result<Vec<Asked>, Fault> =
            [message].into_iter().chain(also).map(|message| read(&who, message)).collect();
        let judged = self.judge(&asked.map_err(status)?).await;
        let mut answers = judged.into_iter().map(answered);
        let first = answers.next().ok_or_else(|| status(unanswered()))?;
        Ok(Response::new(CheckResponse { also: answers.collect(), ..first }))
    }
}

impl RatelimitRpc {
    async fn judge(&self, asked: &[Asked]) -> Vec<Result<CheckResponse, Fault>> {
        let limits = self.limiter.limits();
        let uncounted = |asked: &Asked, reason: wire::Reason| {
            let limit = limits.of(asked.charge.tier);
            CheckResponse {
                allowed: true,
                limit,
                tenant_remaining: limit,
                key_remaining: limit,
                window_secs: limits.window.as_secs(),
                reason: reason.into(),
                ..CheckResponse::default()
            }
        };
        let told = |(asked, judgement): (&Asked, Result<Judgement, Fault>)| {
            Ok(match judgement? {
                Judgement::Judged(answer) => judged(&answer),
                Judgement::PassedOpen => uncounted(asked, wire::Reason::RedisUnavailable),
                Judgement::Off => uncounted(asked, wire::Reason::Disabled),
            })
        };
        asked.iter().zip(self.limiter.check(asked).await).map(told).collect()
    }
}

/// Of several, a failure is an answer.
fn answered(judged: Result<CheckResponse, Fault>) -> CheckResponse {
    judged.unwrap_or_else(|fault| {
        tracing::debug!(error = %Chain(&fault), "a request could not be counted");
        CheckResponse { reason: wire::Reason::RedisUnavailable.into(), ..CheckResponse::default() }
    })
}

fn unanswered() -> Fault {
    Fault::internal("the limiter gave no answer for a request")
}

/// A request that is well formed, and may be asked about.
fn read(who: &Principal, message: CheckRequest) -> Result<Asked, Fault> {
    let charge = charge(message)?;
    let permit = permit(who, &charge.owner)?;
    Ok(Asked { charge, permit })
}

/// A caller may charge the tenant that its token is for; whoever has no tenant, under any.
fn permit(who: &Principal, owner: &Owner) -> Result<Permit<CheckRateLimit>, Fault> {
    let tenant = match owner {
        Owner::Tenant(tenant) => tenant,
        Owner::Stranger(_) => who.tenant().ok_or_else(Fault::unauthenticated)?,
    };
    authorize::<CheckRateLimit>(who, OnTenant(tenant.clone()))
}

fn charge(message: CheckRequest) -> Result<Charge, Fault> {
    let tier = match message.tier() {
        wire::Tier::Free => Tier::Free,
        wire::Tier::Pro => Tier::Pro,
        wire::Tier::Enterprise => Tier::Enterprise,
        wire::Tier::Unspecified => {
            return Err(Fault::invalid("TIER_REQUIRED", "tier", "a tier is free, pro or enterprise"));
        }
    };
    let key_is_api_key = match message.key_kind() {
        wire::KeyKind::ApiKey => true,
        wire::KeyKind::Anonymous => false,
        wire::KeyKind::Unspecified => {
            let sentence = "a key is the id of an API key, or the anonymous name of another credential";
            return Err(Fault::invalid("KEY_KIND_REQUIRED", "key_kind", sentence));
        }
    };
    if !(1..=MOST).contains(&message.cost) {
        return Err(Fault::invalid("COST_OUT_OF_RANGE", "cost", "a cost is a number from 1 to 1000000"));
    }
    Ok(Charge {
        namespace: Namespace::parse(message.namespace)?,
        owner: Owner::parse(message.owner)?,
        key: Name::parse("key", message.key)?,
        key_is_api_key,
        tier,
        cost: u64::from(message.cost),
        passes_uncounted: message.passes_uncounted,
    })
}

fn judged(answer: &LimitAnswer) -> CheckResponse {
    let reason = match answer.reason {
        None => wire::Reason::Unspecified,
        Some(RejectReason::TenantLimit) => wire::Reason::TenantLimit,
        Some(RejectReason::KeyLimit) => wire::Reason::KeyLimit,
        Some(RejectReason::RedisUnavailable) => wire::Reason::RedisUnavailable,
    };
    let refused_by = answer.refused.iter().map(|bucket| match bucket {
        Bucket::Tenant => wire::Bucket::Tenant.into(),
        Bucket::Key => wire::Bucket::Key.into(),
    });
    CheckResponse {
        allowed: answer.allowed,
        counted: answer.allowed,
        limit: answer.limit,
        tenant_remaining: answer.tenant_remaining,
        key_remaining: answer.key_remaining,
        window_secs: answer.window.as_secs(),
        reset_unix_secs: answer.reset_at,
        reset_after_ms: u64::try_from(answer.reset_after.as_millis()).unwrap_or(u64::MAX),
        refused_by: refused_by.collect(),
        reason: reason.into(),
        also: Vec::new(),
    }
}
