use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

/// One bucket, as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// What it is called: lower-case letters, digits, `-` and `_`.
    pub name: Cow<'static, str>,
    /// Requests in a window.
    pub limit: u64,
    /// The length of a window.
    pub window: Duration,
    /// What is left of this window.
    pub remaining: u64,
    /// How long the window still lasts.
    pub reset_after: Duration,
    /// Whether it refused this request.
    pub refused: bool,
}

/// The fields `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-10: lists of strings with
/// parameters (RFC 9651). The only place that knows their syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimitFields {
    /// `"tenant";q=1000;w=60, "key";q=1000;w=60`: the limit and the length of its window in seconds.
    pub policy: String,
    /// `"tenant";r=37;t=12, "key";r=5;t=12`: what is left, and in how many seconds there is more.
    pub limit: String,
}

impl RateLimitFields {
    /// The name of the field with the limits.
    pub const POLICY: &'static str = "ratelimit-policy";
    /// The name of the field with what is left.
    pub const LIMIT: &'static str = "ratelimit";

    /// The fields for these buckets.
    #[must_use]
    pub fn of(quotas: &[Quota]) -> Self {
        let (mut policy, mut limit) = (String::new(), String::new());
        for quota in quotas {
            let separator = if policy.is_empty() { "" } else { ", " };
            let Quota { name, limit: most, remaining, .. } = quota;
            let (window, reset) = (quota.window.as_secs(), seconds_up(quota.reset_after));
            // Writing to a String cannot fail.
            let _infallible = write!(policy, "{separator}\"{name}\";q={most};w={window}");
            let _infallible = write!(limit, "{separator}\"{name}\";r={remaining};t={reset}");
        }
        Self { policy, limit }
    }
}

/// Rounded up: who comes back too early is sent away again.
fn seconds_up(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_buckets_is_the_drafts_own_example_of_syntax() {
        let quota = |name: &'static str, remaining| Quota {
            name: name.into(),
            limit: 1000,
            window: Duration::from_secs(60),
            remaining,
            reset_after: Duration::from_millis(11_001),
            refused: false,
        };
        let fields = RateLimitFields::of(&[quota("tenant", 37), quota("key", 5)]);
        assert_eq!(fields.policy, r#""tenant";q=1000;w=60, "key";q=1000;w=60"#);
        assert_eq!(fields.limit, r#""tenant";r=37;t=12, "key";r=5;t=12"#);
    }
}
