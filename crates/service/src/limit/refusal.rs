use std::time::Duration;

use mintmark_fault::{Fault, Kind};
use ring::rand::{SecureRandom, SystemRandom};

use super::{Quota, RejectReason};

/// The code of a request over a limit.
pub const RATE_LIMITED: &str = "RATE_LIMITED";
/// The code of a request that nobody could count, in the closed mode.
pub const RATE_LIMIT_UNAVAILABLE: &str = "RATE_LIMIT_UNAVAILABLE";

/// Those who were refused together shall not come back together: they are spread over this part of the window.
const SPREAD_PART: u32 = 10;
/// The least that they are spread over.
const SPREAD_LEAST: Duration = Duration::from_secs(1);

/// A request over a limit: 429, or RESOURCE_EXHAUSTED with `RetryInfo` (`mintmark_rpc::status` makes that of it).
///
/// Its members are `reason`, the metric's own label, and `violated-policies`, the names of the buckets that refused
/// (draft-ietf-httpapi-ratelimit-headers). The time to retry never lies before the window's end.
pub fn over_limit(reason: RejectReason, quotas: &[Quota]) -> Fault {
    let refused = || quotas.iter().filter(|quota| quota.refused);
    let names: Vec<&str> = refused().map(|quota| &*quota.name).collect();
    let window = refused().map(|quota| quota.window).max().unwrap_or(SPREAD_LEAST);
    let reset_after = refused().map(|quota| quota.reset_after).max().unwrap_or_default();
    let limit = refused().map(|quota| quota.limit).min().unwrap_or_default();
    let sentence = format!(
        "the limit of {limit} requests in {} seconds is reached ({}): come back when Retry-After says",
        window.as_secs(),
        names.join(" and ")
    );
    Fault::new(Kind::RateLimited, RATE_LIMITED, sentence)
        .with("reason", reason.as_str())
        .with("violated-policies", names)
        .retry_after(reset_after + jitter(window))
}

/// A request that nobody can count now, in the closed mode: 503, or UNAVAILABLE with `RetryInfo`.
pub fn uncountable(retry_after: Duration) -> Fault {
    let sentence = "requests cannot be counted now; the same request may work later";
    Fault::unavailable(RATE_LIMIT_UNAVAILABLE, sentence)
        .with("reason", RejectReason::RedisUnavailable.as_str())
        .retry_after(retry_after)
}

fn jitter(window: Duration) -> Duration {
    let spread = (window / SPREAD_PART).max(SPREAD_LEAST);
    let mut random = [0; 4];
    // Without randomness nobody is spread, which is no reason to fail.
    let _unspread = SystemRandom::new().fill(&mut random);
    spread.mul_f64(f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(name: &'static str, refused: bool) -> Quota {
        let (window, reset_after) = (Duration::from_secs(60), Duration::from_secs(12));
        Quota { name: name.into(), limit: 100, window, remaining: 0, reset_after, refused }
    }

    #[test]
    fn over_limit_names_the_buckets_and_never_says_too_early() {
        let mut delays = Vec::new();
        for _ in 0..64 {
            let fault = over_limit(RejectReason::TenantLimit, &[quota("tenant", true), quota("key", false)]);
            assert_eq!((fault.kind(), fault.code()), (Kind::RateLimited, "RATE_LIMITED"));
            assert_eq!(fault.members()["reason"], "tenant_limit");
            assert_eq!(fault.members()["violated-policies"], serde_json::json!(["tenant"]));
            delays.push(fault.retry_delay().unwrap());
        }
        assert!(delays.iter().all(|delay| (12.0..=18.0).contains(&delay.as_secs_f64())), "{delays:?}");
        assert!(delays.iter().any(|delay| *delay != delays[0]), "everybody comes back at once");
    }
}
