//! What everybody who limits requests shares: the answer, the reasons, the metric, and what to do when nobody can count.
//!
//! The counters live in the ratelimit service; who asks it, and every edge that refuses a request, speaks in these words.

mod enabled;
mod fail_mode;
mod fields;
mod metrics;
mod refusal;
mod stranger;
mod unverified;

pub use enabled::enabled;
pub use fail_mode::FailMode;
pub use fields::{Quota, RateLimitFields};
pub use metrics::{DEFAULT_KEY_IDS, KeyLabel, LimitMetrics};
pub use refusal::{RATE_LIMIT_UNAVAILABLE, RATE_LIMITED, over_limit, uncountable};
pub use stranger::Stranger;
pub use unverified::Unverified;

use std::time::Duration;

/// One of the two counters that a request is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// Shared by all keys of a tenant.
    Tenant,
    /// One key's own.
    Key,
}

impl Bucket {
    /// The name in `RateLimit` fields and problem documents: `tenant` or `key`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Key => "key",
        }
    }
}

/// Why a request was refused: the values of the label `reason` (platform-security, Metrics).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// The tenant's bucket is full, and the key's is not.
    TenantLimit,
    /// The key's bucket is full; the tenant's may be too.
    KeyLimit,
    /// Nobody can count now.
    RedisUnavailable,
}

impl RejectReason {
    /// The value of the label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TenantLimit => "tenant_limit",
            Self::KeyLimit => "key_limit",
            Self::RedisUnavailable => "redis_unavailable",
        }
    }

    /// The one reason of a request that these buckets refused; `None` when none did.
    ///
    /// Where both did it is the key's: the tenant's bucket holds everything that the key's does, so it alone would hide
    /// that one key used it up.
    #[must_use]
    pub fn of(refused: &[Bucket]) -> Option<Self> {
        if refused.contains(&Bucket::Key) {
            return Some(Self::KeyLimit);
        }
        refused.contains(&Bucket::Tenant).then_some(Self::TenantLimit)
    }
}

/// What the limiter said about one request that it could count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitAnswer {
    /// Whether the request may pass. A refused request was charged to neither bucket.
    pub allowed: bool,
    /// The limit of the request's tier, for each bucket in one window.
    pub limit: u64,
    /// What is left in the tenant's bucket at this tier, after this decision.
    pub tenant_remaining: u64,
    /// What is left in the key's bucket at this tier, after this decision.
    pub key_remaining: u64,
    /// The length of a window.
    pub window: Duration,
    /// When the window ends, in Unix seconds of Redis's clock.
    pub reset_at: u64,
    /// How long until then.
    pub reset_after: Duration,
    /// Every bucket that refused; empty when the request may pass.
    pub refused: Vec<Bucket>,
    /// Why it was refused.
    pub reason: Option<RejectReason>,
}

impl LimitAnswer {
    /// How many more requests of cost one may pass in this window: the least of both buckets.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.tenant_remaining.min(self.key_remaining)
    }

    /// Both buckets as `RateLimit` fields and problem documents speak of them.
    #[must_use]
    pub fn quotas(&self) -> [Quota; 2] {
        let of = |bucket: Bucket, remaining| Quota {
            name: bucket.as_str().into(),
            limit: self.limit,
            window: self.window,
            remaining,
            reset_after: self.reset_after,
            refused: self.refused.contains(&bucket),
        };
        [of(Bucket::Tenant, self.tenant_remaining), of(Bucket::Key, self.key_remaining)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_of_both_buckets_is_the_keys() {
        let table: [(&[Bucket], Option<&str>); 4] = [
            (&[], None),
            (&[Bucket::Tenant], Some("tenant_limit")),
            (&[Bucket::Key], Some("key_limit")),
            (&[Bucket::Tenant, Bucket::Key], Some("key_limit")),
        ];
        for (refused, label) in table {
            assert_eq!(RejectReason::of(refused).map(RejectReason::as_str), label, "{refused:?}");
        }
        assert_eq!(RejectReason::RedisUnavailable.as_str(), "redis_unavailable");
    }
}
