//! How requests are limited: whom to ask, and what to do when nobody answers.

use std::time::Duration;

use mintmark_rpc::client::LimitPolicy;
use mintmark_service::config::{AppEnv, Reader};
use mintmark_service::limit::enabled;

/// Everything about limits that an edge of ours needs.
#[derive(Clone, Debug)]
pub struct LimitConfig {
    /// The rate limiter.
    pub url: String,
    /// What happens while it is away.
    pub policy: LimitPolicy,
    /// Credentials that did not verify which one /24 or /48 may bring in a window.
    pub unverified: u64,
    /// The length of that window.
    pub window: Duration,
}

impl LimitConfig {
    /// `Some(None)` where nothing is limited, which production refuses.
    pub fn read(
        reader: &mut Reader,
        app_env: Option<AppEnv>,
        url: impl FnOnce(&mut Reader) -> Option<String>,
    ) -> Option<Option<LimitConfig>> {
        let enabled = enabled(reader, app_env);
        let url = url(reader);
        let policy = LimitPolicy::read(reader, app_env);
        // The limiter's own variables: an unverified credential costs a network what the tier free costs a key.
        let window = reader.seconds(
            "RATE_LIMIT_WINDOW_SEC",
            60,
            1..=86_400,
            "length of a window of the limits; the same for the limiter and whoever asks it",
        );
        let unverified = reader.number(
            "RATE_LIMIT_MAX_FREE",
            100,
            1..=1_000_000_000,
            "requests in a window for the tier free, and at an edge with credentials that do not verify, from one /24 or /48",
        );
        let config = LimitConfig { url: url?, policy: policy?, unverified: unverified?, window: window? };
        Some(enabled?.then_some(config))
    }
}
