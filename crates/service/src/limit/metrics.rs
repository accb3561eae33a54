use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

use super::RejectReason;
use crate::telemetry;

/// API key ids that the label names when nobody configured a number. With three tiers and three reasons, and the names
/// `none` and `other` beside them, this stays below the 2,000 series at which OpenTelemetry folds an instrument's labels.
pub const DEFAULT_KEY_IDS: usize = 200;

/// What the label `key_id` may say. Never key material: there is no way to put a credential into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyLabel<'a> {
    /// The id of an API key.
    ApiKey(&'a str),
    /// Anything else: `none`.
    None,
}

/// The metrics of whoever decides about a request. Cheap to clone.
///
/// - `rate_limit_rejected_total{tier,key_id,reason}`: every rejected request;
/// - `rate_limit_passed_open_total{tier}`: every request that passed because nobody could count it.
///
/// The first ids up to a cap are named; those that come later are `other`, so that nobody can flood the metrics with keys.
#[derive(Clone)]
pub struct LimitMetrics(Arc<Inner>);

struct Inner {
    rejected: Counter<u64>,
    passed_open: Counter<u64>,
    cap: usize,
    named: Mutex<HashSet<Box<str>>>,
}

impl LimitMetrics {
    /// The counter of this process, which names at most `cap` API keys.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        let rejected = telemetry::meter()
            .u64_counter("rate_limit_rejected")
            .with_description("Requests rejected by rate limiting, by tier, API key id and reason")
            .build();
        let passed_open = telemetry::meter()
            .u64_counter("rate_limit_passed_open")
            .with_description("Requests that passed uncounted because nobody could count them, by tier")
            .build();
        Self(Arc::new(Inner { rejected, passed_open, cap, named: Mutex::default() }))
    }

    /// Counts one rejected request. `tier` is `free`, `pro` or `enterprise`.
    pub fn rejected(&self, tier: &'static str, key: KeyLabel<'_>, reason: RejectReason) {
        let labels = [
            KeyValue::new("tier", tier),
            KeyValue::new("key_id", self.label(key)),
            KeyValue::new("reason", reason.as_str()),
        ];
        self.0.rejected.add(1, &labels);
    }

    /// Counts one request that passed because nobody could count it.
    pub fn passed_open(&self, tier: &'static str) {
        self.0.passed_open.add(1, &[KeyValue::new("tier", tier)]);
    }

    fn label(&self, key: KeyLabel<'_>) -> String {
        let KeyLabel::ApiKey(id) = key else { return "none".to_owned() };
        let mut named = self.0.named.lock().unwrap_or_else(PoisonError::into_inner);
        if !named.contains(id) {
            if named.len() >= self.0.cap {
                return "other".to_owned();
            }
            named.insert(id.into());
        }
        id.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_has_the_documented_name_and_labels() {
        let metrics = LimitMetrics::new(1);
        metrics.rejected("free", KeyLabel::None, RejectReason::RedisUnavailable);
        metrics.rejected("pro", KeyLabel::ApiKey("key_1"), RejectReason::KeyLimit);
        metrics.rejected("pro", KeyLabel::ApiKey("key_2"), RejectReason::TenantLimit);
        metrics.rejected("pro", KeyLabel::ApiKey("key_1"), RejectReason::KeyLimit);
        metrics.passed_open("enterprise");
        let text = telemetry::metrics_text();
        for line in [
            r#"rate_limit_passed_open_total{tier="enterprise"} 1"#,
            r#"rate_limit_rejected_total{key_id="none",reason="redis_unavailable",tier="free"} 1"#,
            r#"rate_limit_rejected_total{key_id="key_1",reason="key_limit",tier="pro"} 2"#,
            r#"rate_limit_rejected_total{key_id="other",reason="tenant_limit",tier="pro"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("key_2"), "above the cap");
    }
}
