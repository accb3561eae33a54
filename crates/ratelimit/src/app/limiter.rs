//! The decision about one request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mintmark_auth::action::CheckRateLimit;
use mintmark_auth::{Permit, Tier};
use mintmark_fault::Result;
use mintmark_service::limit::{
    Bucket, FailMode, KeyLabel, LimitAnswer, LimitMetrics, RejectReason, uncountable,
};

use super::limits::Limits;
use super::names::{Name, Namespace, Owner};
use super::outcomes::{Outcome, Outcomes};
use super::over_limit::{Full, OverLimit};
use crate::config::RatelimitConfig;
use crate::store::{Away, Counter, Counters, Verdict};

/// When a request that nobody could count may be tried again: we recover within a second of Redis's return.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Decides about requests. Cheap to clone.
#[derive(Clone)]
pub struct Limiter(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) enabled: bool,
    pub(super) limits: Limits,
    pub(super) fail_mode: FailMode,
    pub(super) counters: Counters,
    pub(super) over_limit: OverLimit,
    pub(super) outcomes: Outcomes,
    pub(super) metrics: LimitMetrics,
}

/// One request that wants to pass.
pub struct Charge {
    /// What shares a budget.
    pub namespace: Namespace,
    /// Whose tenant bucket is charged.
    pub owner: Owner,
    /// Whose key bucket is charged.
    pub key: Name,
    /// Whether `key` is the id of an API key, which metrics may name.
    pub key_is_api_key: bool,
    /// The tier of the request's credential.
    pub tier: Tier,
    /// How much it costs.
    pub cost: u64,
    /// Whether it passes while nobody can count it, whatever the mode.
    pub passes_uncounted: bool,
}

/// A request, and the right to ask about it.
pub struct Asked {
    /// What it charges.
    pub charge: Charge,
    /// That whoever asks may charge that owner.
    pub permit: Permit<CheckRateLimit>,
}

/// What became of a request that need not be refused for want of Redis.
#[derive(Debug)]
pub enum Judgement {
    /// It was counted, or refused.
    Judged(LimitAnswer),
    /// Redis is away and the mode is open.
    PassedOpen,
    /// Nothing is limited.
    Off,
}

/// The two counters of one request, without the window's start. In Redis: `ratelimit:<namespace>:tenant:<ownerId>:…` and
/// `ratelimit:<namespace>:key:<keyId>:…` (platform-security, Rate limiting).
struct Buckets {
    tenant: String,
    key: String,
}

impl Limiter {
    /// A limiter on these counters.
    #[must_use]
    pub fn new(config: &RatelimitConfig, counters: Counters) -> Self {
        Self(Arc::new(Inner {
            enabled: config.enabled,
            limits: config.limits,
            fail_mode: config.fail_mode,
            counters,
            over_limit: OverLimit::new(config.cache_entries, config.limits.window),
            outcomes: Outcomes::new(),
            metrics: LimitMetrics::new(config.metric_key_ids),
        }))
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Charges each request to both of its buckets, or refuses it and charges neither. They are judged in turn, and Redis is
    /// asked once for all of which it has to be asked: an answer for each, in order.
    ///
    /// # Errors
    /// 503 `RATE_LIMIT_UNAVAILABLE` when Redis is away and the mode is closed.
    pub async fn check(&self, asked: &[Asked]) -> Vec<Result<Judgement>> {
        let inner = &*self.0;
        if !inner.enabled {
            let off = |_: &Asked| {
                inner.outcomes.count(Outcome::Off);
                Ok(Judgement::Off)
            };
            return asked.iter().map(off).collect();
        }
        let window_secs = inner.limits.window.as_secs();
        // Of each: its buckets, and the answer where it is known.
        let mut known = Vec::with_capacity(asked.len());
        let mut counters = Vec::with_capacity(asked.len() * Buckets::EACH);
        for Asked { charge, .. } in asked {
            let buckets = Buckets::of(charge);
            let limit = inner.limits.of(charge.tier);
            let answer = inner.refused_from_memory(&buckets, limit, charge);
            if answer.is_none() {
                let counter = |name: &str| Counter {
                    name: name.to_owned(),
                    window_secs,
                    limit: Some(limit),
                    cost: charge.cost,
                };
                counters.extend([counter(&buckets.tenant), counter(&buckets.key)]);
            }
            known.push((buckets, answer));
        }
        let mut decided = if counters.is_empty() {
            Vec::new()
        } else {
            inner.counters.decide_each(counters, Buckets::EACH).await
        }
        .into_iter();
        let judge = |(Asked { charge, .. }, (buckets, known)): (&Asked, (Buckets, Option<LimitAnswer>))| {
            if let Some(answer) = known {
                inner.outcomes.count(Outcome::RefusedFromMemory);
                inner.rejected(charge, answer.reason);
                return Ok(Judgement::Judged(answer));
            }
            match decided.next().unwrap_or(Err(Away::Down)) {
                Ok(verdict) => {
                    let limit = inner.limits.of(charge.tier);
                    Ok(Judgement::Judged(inner.judged(&buckets, limit, charge, &verdict)))
                }
                Err(away) => inner.nobody_counts(charge, away),
            }
        };
        asked.iter().zip(known).map(judge).collect()
    }
}

impl Buckets {
    /// The tenant's and the key's.
    const EACH: usize = 2;

    fn of(charge: &Charge) -> Self {
        Self {
            tenant: format!("ratelimit:{}:tenant:{}", charge.namespace, charge.owner),
            key: format!("ratelimit:{}:key:{}", charge.namespace, charge.key),
        }
    }
}

impl Inner {
    fn judged(&self, buckets: &Buckets, limit: u64, charge: &Charge, verdict: &Verdict) -> LimitAnswer {
        let used = |index: usize| verdict.used.get(index).copied().unwrap_or_default();
        let window = self.limits.window.as_secs();
        let reset_at = verdict.now.window_end(window);
        let reset_after = verdict.now.until(reset_at);
        let sides = [(Bucket::Tenant, &buckets.tenant), (Bucket::Key, &buckets.key)];
        let mut refused = Vec::new();
        if !verdict.admitted {
            let over = |index: usize| used(index).saturating_add(charge.cost) > limit;
            refused.extend((0..).zip(sides).filter(|(index, _)| over(*index)).map(|(_, (bucket, _))| bucket));
            // Below the limit a request of a lower cost may still pass, and a count that can fall again says nothing.
            if (0..2).any(|index| used(index) >= limit && verdict.only_grows(index)) {
                let until = verdict.asked_at + reset_after;
                for (index, (_, name)) in (0..).zip(sides).filter(|(index, _)| verdict.only_grows(*index)) {
                    self.over_limit.remember(name, Full { used: used(index), until, reset_at });
                }
            }
        }
        let reason = RejectReason::of(&refused);
        self.outcomes.count(if verdict.admitted { Outcome::Admitted } else { Outcome::Refused });
        if !verdict.admitted {
            self.rejected(charge, reason);
        }
        LimitAnswer {
            allowed: verdict.admitted,
            limit,
            tenant_remaining: limit.saturating_sub(used(0)),
            key_remaining: limit.saturating_sub(used(1)),
            window: self.limits.window,
            reset_at,
            reset_after,
            refused,
            reason,
        }
    }

    fn refused_from_memory(&self, buckets: &Buckets, limit: u64, charge: &Charge) -> Option<LimitAnswer> {
        // What passes while Redis is away is not refused then, whatever is known.
        if self.passes_uncounted(charge) && !self.counters.is_up() {
            return None;
        }
        let now = Instant::now();
        let known = [&buckets.tenant, &buckets.key].map(|name| self.over_limit.known(name, now));
        let refuses = |known: &Option<Full>| known.filter(|full| full.refuses(limit, charge.cost));
        let full = known.iter().find_map(refuses)?;
        let refused: Vec<Bucket> = [Bucket::Tenant, Bucket::Key]
            .into_iter()
            .zip(&known)
            .filter_map(|(bucket, known)| refuses(known).map(|_| bucket))
            .collect();
        // Where nothing is known of the other bucket: nothing may pass now.
        let [tenant_remaining, key_remaining] =
            known.map(|known| known.map_or(0, |full| limit.saturating_sub(full.used)));
        Some(LimitAnswer {
            allowed: false,
            limit,
            tenant_remaining,
            key_remaining,
            window: self.limits.window,
            reset_at: full.reset_at,
            reset_after: full.until.saturating_duration_since(now),
            reason: RejectReason::of(&refused),
            refused,
        })
    }

    fn passes_uncounted(&self, charge: &Charge) -> bool {
        charge.passes_uncounted || self.fail_mode == FailMode::Open
    }

    fn nobody_counts(&self, charge: &Charge, away: Away) -> Result<Judgement> {
        if self.passes_uncounted(charge) {
            self.outcomes.count(Outcome::PassedOpen);
            self.metrics.passed_open(charge.tier.as_str());
            return Ok(Judgement::PassedOpen);
        }
        self.outcomes.count(Outcome::Unavailable);
        self.rejected(charge, Some(RejectReason::RedisUnavailable));
        Err(uncountable(RETRY_AFTER).caused_by(away))
    }

    fn rejected(&self, charge: &Charge, reason: Option<RejectReason>) {
        let key = if charge.key_is_api_key { KeyLabel::ApiKey(charge.key.as_str()) } else { KeyLabel::None };
        if let Some(reason) = reason {
            self.metrics.rejected(charge.tier.as_str(), key, reason);
        }
    }
}
