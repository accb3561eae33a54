//! The decision about one request of Envoy: every descriptor of it is charged, or none.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mintmark_auth::EnvoyDomain;
use mintmark_fault::Result;
use mintmark_service::limit::{Bucket, FailMode, KeyLabel, Quota, RejectReason, uncountable};
use mintmark_service::telemetry;
use opentelemetry::KeyValue;
use opentelemetry::metrics;

use super::plan::{Descriptor, Part, Plan};
use super::rules::{RuleStore, Unit};
use crate::app::limiter::{Limiter, RETRY_AFTER};
use crate::app::outcomes::Outcome;
use crate::app::over_limit::Full;
use crate::store::{Away, Counter, Verdict};

/// The label `tier` of what has none.
const NO_TIER: &str = "none";

/// Decides about the descriptors of a request. Cheap to clone.
#[derive(Clone)]
pub struct EnvoyLimiter {
    limiter: Limiter,
    rules: Arc<RuleStore>,
    descriptors: metrics::Counter<u64>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvoyAnswer {
    /// Why it must be refused; it was charged nowhere then.
    pub refused: Option<RejectReason>,
    /// One for each descriptor, in order.
    pub statuses: Vec<Status>,
    /// What a client may know of the limits that were looked at, each once.
    pub quotas: Vec<Quota>,
}

/// What became of a descriptor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Whether it refused.
    pub over: bool,
    /// The limit that it has; none where no rule matches.
    pub limit: Option<StatusLimit>,
    /// What is left of the window.
    pub remaining: u64,
    /// How long the window still lasts.
    pub reset_after: Duration,
}

/// The limit of a descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusLimit {
    /// The rule's name.
    pub name: Arc<str>,
    /// Requests in a window.
    pub requests: u64,
    /// The window's length, where it is one of Envoy's units.
    pub unit: Option<Unit>,
}

/// What is known of the counters of a plan.
struct Found {
    admitted: bool,
    /// What each holds, as far as that is known.
    used: Vec<Option<u64>>,
    reset_after: Vec<Duration>,
}

impl EnvoyLimiter {
    /// Decides by these rules, on the counters of this limiter.
    #[must_use]
    pub fn new(limiter: Limiter, rules: Arc<RuleStore>) -> Self {
        let descriptors = telemetry::meter()
            .u64_counter("rate_limit_envoy_descriptors")
            .with_description("Descriptors that a rule matched, by domain, rule and outcome")
            .build();
        Self { limiter, rules, descriptors }
    }

    /// Charges the counters of all descriptors, or refuses the request and charges none.
    ///
    /// # Errors
    /// 503 `RATE_LIMIT_UNAVAILABLE` when Redis is away, the mode is closed, and a rule that can refuse matches.
    pub async fn decide(&self, name: &EnvoyDomain, descriptors: &[Descriptor]) -> Result<EnvoyAnswer> {
        let inner = &*self.limiter.0;
        if !inner.enabled {
            inner.outcomes.count(Outcome::Off);
            return Ok(EnvoyAnswer::unlimited(descriptors.len()));
        }
        let Some(domain) = self.rules.domain(name.as_str()) else {
            return Ok(EnvoyAnswer::unlimited(descriptors.len()));
        };
        let plan = Plan::of(name, &domain, &inner.limits, descriptors);
        if plan.counters.is_empty() {
            return Ok(EnvoyAnswer::unlimited(descriptors.len()));
        }
        let (found, outcome) = match self.refused_from_memory(&plan) {
            Some(found) => (found, Outcome::RefusedFromMemory),
            None => match inner.counters.decide(plan.counters.clone()).await {
                Ok(verdict) if verdict.admitted => (self.found(&plan, &verdict), Outcome::Admitted),
                Ok(verdict) => (self.found(&plan, &verdict), Outcome::Refused),
                Err(away) => return self.nobody_counts(&plan, away),
            },
        };
        inner.outcomes.count(outcome);
        Ok(self.answer(name, &plan, &found))
    }

    fn refused_from_memory(&self, plan: &Plan) -> Option<Found> {
        let inner = &*self.limiter.0;
        // What passes while Redis is away is not refused then, whatever is known.
        if inner.fail_mode == FailMode::Open && !inner.counters.is_up() {
            return None;
        }
        let now = Instant::now();
        let known: Vec<Option<Full>> =
            plan.counters.iter().map(|counter| inner.over_limit.known(&counter.name, now)).collect();
        let refuses = |(counter, known): (&Counter, &Option<Full>)| {
            known.zip(counter.limit).is_some_and(|(full, limit)| full.refuses(limit, counter.cost))
        };
        if !plan.counters.iter().zip(&known).any(refuses) {
            return None;
        }
        let reset_after = |(counter, known): (&Counter, &Option<Full>)| match known {
            Some(full) => full.until.saturating_duration_since(now),
            None => until_window_ends(counter.window_secs),
        };
        Some(Found {
            admitted: false,
            reset_after: plan.counters.iter().zip(&known).map(reset_after).collect(),
            used: known.iter().map(|known| known.map(|full| full.used)).collect(),
        })
    }

    /// What Redis said; what it refused is remembered.
    fn found(&self, plan: &Plan, verdict: &Verdict) -> Found {
        let mut reset_after = Vec::with_capacity(plan.counters.len());
        for ((index, counter), &used) in plan.counters.iter().enumerate().zip(&verdict.used) {
            let reset_at = verdict.now.window_end(counter.window_secs);
            let left = verdict.now.until(reset_at);
            reset_after.push(left);
            let full = counter.limit.is_some_and(|limit| used >= limit);
            if !verdict.admitted && full && verdict.only_grows(index) {
                let full = Full { used, until: verdict.asked_at + left, reset_at };
                self.limiter.0.over_limit.remember(&counter.name, full);
            }
        }
        let used = verdict.used.iter().copied().map(Some).collect();
        Found { admitted: verdict.admitted, used, reset_after }
    }

    fn nobody_counts(&self, plan: &Plan, away: Away) -> Result<EnvoyAnswer> {
        let inner = &*self.limiter.0;
        let first = plan.parts.iter().flatten().find(|part| !part.shadow);
        match first {
            // Where every rule only watches, nobody is missed.
            Some(part) if inner.fail_mode != FailMode::Open => {
                inner.outcomes.count(Outcome::Unavailable);
                self.rejected(part, RejectReason::RedisUnavailable);
                Err(uncountable(RETRY_AFTER).caused_by(away))
            }
            part => {
                inner.outcomes.count(Outcome::PassedOpen);
                inner.metrics.passed_open(part.map_or(NO_TIER, Part::tier_label));
                Ok(EnvoyAnswer::unlimited(plan.parts.len()))
            }
        }
    }

    fn answer(&self, name: &EnvoyDomain, plan: &Plan, found: &Found) -> EnvoyAnswer {
        let mut answer = EnvoyAnswer { refused: None, statuses: Vec::new(), quotas: Vec::new() };
        for part in &plan.parts {
            let Some(part) = part else {
                answer.statuses.push(Status::default());
                continue;
            };
            let over: Vec<Bucket> =
                part.buckets().filter(|(_, at)| found.over(plan, *at)).map(|it| it.0).collect();
            let would_be = part.shadow && part.at.iter().any(|at| found.would_be_over(part, *at));
            self.descriptors.add(
                1,
                &[
                    KeyValue::new("domain", name.as_str().to_owned()),
                    KeyValue::new("rule", part.rule.to_string()),
                    KeyValue::new("outcome", part.outcome(!over.is_empty(), would_be)),
                ],
            );
            if let (None, Some(reason)) = (answer.refused, RejectReason::of(&over)) {
                self.rejected(part, reason);
                answer.refused = Some(reason);
            }
            for (bucket, at) in part.buckets().filter(|_| !part.shadow) {
                answer.show(part.quota(bucket, found, at, over.contains(&bucket)));
            }
            answer.statuses.push(part.status(found, !over.is_empty()));
        }
        answer
    }

    fn rejected(&self, part: &Part, reason: RejectReason) {
        let key = match &part.tier {
            Some((_, Some(id))) => KeyLabel::ApiKey(id),
            _ => KeyLabel::None,
        };
        self.limiter.0.metrics.rejected(part.tier_label(), key, reason);
    }
}

impl EnvoyAnswer {
    fn unlimited(descriptors: usize) -> Self {
        Self { refused: None, statuses: vec![Status::default(); descriptors], quotas: Vec::new() }
    }

    /// Of two with one name the tighter is shown.
    fn show(&mut self, quota: Quota) {
        match self.quotas.iter_mut().find(|shown| shown.name == quota.name) {
            Some(shown) if (!quota.refused, quota.remaining) < (!shown.refused, shown.remaining) => {
                *shown = quota;
            }
            Some(_) => {}
            None => self.quotas.push(quota),
        }
    }
}

impl Found {
    fn used(&self, at: usize) -> Option<u64> {
        self.used.get(at).copied().flatten()
    }

    fn reset_after(&self, at: usize) -> Duration {
        self.reset_after.get(at).copied().unwrap_or_default()
    }

    /// Whether the counter is one of those that refused.
    fn over(&self, plan: &Plan, at: usize) -> bool {
        let counter = plan.counters.get(at);
        let over = |counter: &Counter| {
            let (used, limit) = self.used(at).zip(counter.limit)?;
            Some(used.saturating_add(counter.cost) > limit)
        };
        !self.admitted && counter.and_then(over).unwrap_or_default()
    }

    /// Whether a counter that refuses nothing is over, or had gone over.
    fn would_be_over(&self, part: &Part, at: usize) -> bool {
        let more = if self.admitted { 0 } else { part.cost };
        self.used(at).is_some_and(|used| used.saturating_add(more) > part.limit)
    }

    /// Nothing may pass now where nothing is known.
    fn remaining(&self, part: &Part, at: usize) -> u64 {
        self.used(at).map_or(0, |used| part.limit.saturating_sub(used))
    }
}

impl Part {
    fn tier_label(&self) -> &'static str {
        self.tier.as_ref().map_or(NO_TIER, |(tier, _)| tier.as_str())
    }

    /// A rule of its own has one bucket, which is the descriptor's as a key's is the key's.
    fn buckets(&self) -> impl Iterator<Item = (Bucket, usize)> {
        let names: &[Bucket] =
            if self.tier.is_some() { &[Bucket::Tenant, Bucket::Key] } else { &[Bucket::Key] };
        names.iter().copied().zip(self.at.iter().copied())
    }

    fn outcome(&self, over: bool, would_be: bool) -> &'static str {
        match (over, would_be) {
            (true, _) => "over_limit",
            (false, true) => "shadow",
            (false, false) => "ok",
        }
    }

    fn quota(&self, bucket: Bucket, found: &Found, at: usize, refused: bool) -> Quota {
        let name = match &self.tier {
            Some(_) => format!("{}-{}", self.rule, bucket.as_str()),
            None => self.rule.to_string(),
        };
        Quota {
            name: name.into(),
            limit: self.limit,
            window: Duration::from_secs(self.window_secs),
            remaining: found.remaining(self, at),
            reset_after: found.reset_after(at),
            refused,
        }
    }

    fn status(&self, found: &Found, over: bool) -> Status {
        let at = self.at.iter().copied();
        Status {
            over,
            limit: Some(StatusLimit {
                name: Arc::clone(&self.rule),
                requests: self.limit,
                unit: Unit::of_secs(self.window_secs),
            }),
            remaining: at.clone().map(|at| found.remaining(self, at)).min().unwrap_or_default(),
            reset_after: at.map(|at| found.reset_after(at)).max().unwrap_or_default(),
        }
    }
}

/// By our own clock: good enough for what is only shown.
fn until_window_ends(window_secs: u64) -> Duration {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let window = Duration::from_secs(window_secs.max(1));
    let into = Duration::from_nanos(u64::try_from(since.as_nanos() % window.as_nanos()).unwrap_or_default());
    window.saturating_sub(into)
}
