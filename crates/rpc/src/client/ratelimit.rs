mod together;

use std::sync::Arc;
use std::time::Duration;

use mintmark_auth::{Tier, TokenSource};
use mintmark_ids::{ApiKeyId, ServiceName, TenantId};
use mintmark_service::StartError;
use mintmark_service::config::{AppEnv, Reader};
use mintmark_service::limit::{
    Bucket, DEFAULT_KEY_IDS, FailMode, KeyLabel, LimitAnswer, LimitMetrics, RejectReason, Stranger,
};
use mintmark_wire::ratelimit::v1::ratelimit_service_client::RatelimitServiceClient;
use mintmark_wire::ratelimit::v1::{self as wire, CheckRequest, CheckResponse};
use tokio::runtime::Handle;

use self::together::{Asker, Undecided};
use crate::Target;
use crate::breaker::Breaker;
use crate::outgoing::connect;

/// The tenant of tokens for calls about somebody without a tenant.
const NOBODY: &str = "nobody";
/// When a request that nobody could count may be tried again: the limiter recovers within a second.
const RETRY_AFTER: Duration = Duration::from_secs(1);

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
pub enum LimitKey {
    /// An API key's.
    ApiKey(ApiKeyId),
    /// Any other credential's or network's.
    Stranger(Stranger),
}

/// One request that wants to pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRequest {
    /// What shares a budget: usually the name of the service that asks.
    pub namespace: &'static str,
    /// Whose tenant bucket is charged.
    pub owner: Owner,
    /// Whose key bucket is charged.
    pub key: LimitKey,
    /// The tier of the request's credential.
    pub tier: Tier,
    /// How much it costs; one for an ordinary request.
    pub cost: u32,
    /// Whether it passes while nobody can count it, whatever the mode: what an outage must not take away. Its limits
    /// refuse it all the same.
    pub passes_uncounted: bool,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It was counted and may pass.
    Allowed(LimitAnswer),
    /// It is over a limit: 429. The rejection has been counted in `rate_limit_rejected_total`.
    Limited(LimitAnswer),
    /// Nobody can count it and the mode is closed: 503. The rejection has been counted as `redis_unavailable`.
    Unavailable {
        /// When the same request may be tried again.
        retry_after: Duration,
    },
    /// Nobody can count it, and the mode is open or the request passes in any: it passes. It has been counted in `rate_limit_passed_open_total`.
    PassedOpen,
    /// The service's RATE_LIMIT_ENABLED is false: it passes.
    Off,
}

/// How a service that asks the limiter behaves: read from its own environment.
#[derive(Clone, Copy, Debug)]
pub struct LimitPolicy {
    /// What happens while the limiter's process is away.
    pub mode: FailMode,
    /// The longest that a request may wait for its decision.
    pub budget: Duration,
    /// API key ids that the metric names.
    pub metric_key_ids: usize,
}

impl LimitPolicy {
    /// Reads `RATE_LIMIT_FAIL_OPEN`, `RATE_LIMIT_BUDGET_MS` and `RATE_LIMIT_METRIC_KEY_IDS`.
    pub fn read(reader: &mut Reader, app_env: Option<AppEnv>) -> Option<Self> {
        let mode = FailMode::read(reader, app_env);
        let budget = reader.number(
            "RATE_LIMIT_BUDGET_MS",
            100,
            1..=5_000,
            "milliseconds that a request may wait for the rate limiter's decision; then RATE_LIMIT_FAIL_OPEN decides",
        );
        let metric_key_ids = metric_key_ids(reader);
        Some(Self { mode: mode?, budget: Duration::from_millis(budget?), metric_key_ids: metric_key_ids? })
    }
}

/// Reads `RATE_LIMIT_METRIC_KEY_IDS`, which the limiter and those who ask it have in common.
pub fn metric_key_ids(reader: &mut Reader) -> Option<usize> {
    let about =
        "API key ids that rate_limit_rejected_total names; those that come later are counted as other";
    reader.number("RATE_LIMIT_METRIC_KEY_IDS", DEFAULT_KEY_IDS, 0..=DEFAULT_KEY_IDS, about)
}

/// The rate limiter, as every HTTP edge asks it. Cheap to clone; connects at the first call.
///
/// It always decides, within the budget: where the limiter's process is away, slow, or does not believe us, the policy
/// does. A breaker spares the requests the wait while it is; the limiter's return is noticed within half a second.
#[derive(Clone)]
pub struct Ratelimit(Arc<Inner>);

struct Inner {
    asker: Arc<Asker>,
    nobody: TenantId,
    policy: LimitPolicy,
    metrics: LimitMetrics,
}

impl Ratelimit {
    /// A client of the limiter at `target` (a URL alone, or a [`Target`]), driven on the runtime it is made on.
    ///
    /// # Errors
    /// A sentence when its URL cannot be one.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new<'a>(
        target: impl Into<Target<'a>>,
        tokens: TokenSource,
        policy: LimitPolicy,
    ) -> Result<Self, StartError> {
        let home = Handle::current();
        let callee = connect(target.into(), ServiceName::Ratelimit, &home)?;
        let nobody = TenantId::parse(NOBODY).map_err(|error| {
            StartError::new("the tenant of anonymous calls is not a tenant id").caused_by(error)
        })?;
        let asker = Asker {
            client: RatelimitServiceClient::new(callee),
            tokens,
            budget: policy.budget,
            breaker: Breaker::default(),
            home,
            questions: together::gather(),
        };
        let metrics = LimitMetrics::new(policy.metric_key_ids);
        Ok(Self(Arc::new(Inner { asker: Arc::new(asker), nobody, policy, metrics })))
    }

    /// Has one request counted and judged. Requests of one tenant that come at once go together.
    pub async fn check(&self, request: &LimitRequest) -> Decision {
        let inner = &*self.0;
        if !inner.asker.breaker.lets_through() {
            return inner.nobody_counts(request);
        }
        let tenant = match &request.owner {
            Owner::Tenant(tenant) => tenant,
            Owner::Stranger(_) => &inner.nobody,
        };
        match inner.asker.ask(tenant, message(request)).await {
            Ok(response) => inner.decision(request, &response),
            Err(Undecided::Uncountable(retry_after)) => Decision::Unavailable { retry_after },
            Err(Undecided::Away) => inner.nobody_counts(request),
        }
    }
}

impl Inner {
    fn decision(&self, request: &LimitRequest, response: &CheckResponse) -> Decision {
        match (response.allowed, response.reason()) {
            // The service has counted these itself.
            (true, wire::Reason::RedisUnavailable) => Decision::PassedOpen,
            (false, wire::Reason::RedisUnavailable) => Decision::Unavailable { retry_after: RETRY_AFTER },
            (true, wire::Reason::Disabled) => Decision::Off,
            (true, _) => Decision::Allowed(answer(response)),
            (false, wire::Reason::TenantLimit | wire::Reason::KeyLimit) => {
                Decision::Limited(answer(response))
            }
            (false, reason) => {
                self.asker.away(reason.as_str_name());
                self.nobody_counts(request)
            }
        }
    }

    fn nobody_counts(&self, request: &LimitRequest) -> Decision {
        let tier = request.tier.as_str();
        if request.passes_uncounted || self.policy.mode == FailMode::Open {
            self.metrics.passed_open(tier);
            return Decision::PassedOpen;
        }
        let id = match &request.key {
            LimitKey::ApiKey(id) => Some(id.to_string()),
            LimitKey::Stranger(_) => None,
        };
        let label = id.as_deref().map_or(KeyLabel::None, KeyLabel::ApiKey);
        self.metrics.rejected(tier, label, RejectReason::RedisUnavailable);
        Decision::Unavailable { retry_after: RETRY_AFTER }
    }
}

fn message(request: &LimitRequest) -> CheckRequest {
    let (key, key_kind) = match &request.key {
        LimitKey::ApiKey(id) => (id.to_string(), wire::KeyKind::ApiKey),
        LimitKey::Stranger(name) => (name.to_string(), wire::KeyKind::Anonymous),
    };
    let tier = match request.tier {
        Tier::Free => wire::Tier::Free,
        Tier::Pro => wire::Tier::Pro,
        Tier::Enterprise => wire::Tier::Enterprise,
    };
    CheckRequest {
        namespace: request.namespace.to_owned(),
        owner: match &request.owner {
            Owner::Tenant(tenant) => tenant.to_string(),
            Owner::Stranger(name) => name.to_string(),
        },
        key,
        key_kind: key_kind.into(),
        tier: tier.into(),
        cost: request.cost,
        passes_uncounted: request.passes_uncounted,
        also: Vec::new(),
    }
}

fn answer(response: &CheckResponse) -> LimitAnswer {
    let refused: Vec<Bucket> = response
        .refused_by()
        .filter_map(|bucket| match bucket {
            wire::Bucket::Tenant => Some(Bucket::Tenant),
            wire::Bucket::Key => Some(Bucket::Key),
            wire::Bucket::Unspecified => None,
        })
        .collect();
    LimitAnswer {
        allowed: response.allowed,
        limit: response.limit,
        tenant_remaining: response.tenant_remaining,
        key_remaining: response.key_remaining,
        window: Duration::from_secs(response.window_secs),
        reset_at: response.reset_unix_secs,
        reset_after: Duration::from_millis(response.reset_after_ms),
        reason: RejectReason::of(&refused),
        refused,
    }
}
