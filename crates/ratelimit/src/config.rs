//! Configuration, from the environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use mintmark_auth::EnvoyCredentials;
use mintmark_rpc::client::metric_key_ids;
use mintmark_service::config::Reader;
use mintmark_service::limit::{FailMode, enabled};

use crate::app::limits::Limits;
use crate::store::RedisConfig;

/// Configuration of the service.
pub struct RatelimitConfig {
    /// Where decisions are asked for.
    pub grpc_addr: SocketAddr,
    /// The trust bundle.
    pub trust_bundle: PathBuf,
    /// Whether anything is limited at all.
    pub enabled: bool,
    /// The limit of each tier, and the window that it is for.
    pub limits: Limits,
    /// What happens to a request while Redis is away.
    pub fail_mode: FailMode,
    /// Where the counters are.
    pub redis: RedisConfig,
    /// Buckets over their limit that are remembered at most.
    pub cache_entries: u64,
    /// API key ids that the metric names.
    pub metric_key_ids: usize,
    /// What Envoys need, where they are answered.
    pub envoy: Option<EnvoyConfig>,
}

/// What Envoys need.
pub struct EnvoyConfig {
    /// What their descriptors mean.
    pub rules: PathBuf,
    /// Who they are, by static credentials. Where connections are over TLS the trust bundle may name others by certificates.
    pub credentials: Option<EnvoyCredentials>,
}

impl RatelimitConfig {
    /// Reads it; problems are kept by the reader.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let app_env = reader.app_env();
        let grpc_addr = reader.grpc_addr(
            app_env,
            "RATELIMIT_GRPC_ADDR",
            "127.0.0.1:9084",
            "where decisions are asked for",
        );
        let trust_bundle = reader.path(
            "TRUST_BUNDLE_FILE",
            "keys of the services, and what each of them may grant; reloaded when it changes",
        );
        let enabled = enabled(reader, app_env);
        let limits = limits(reader);
        let fail_mode = FailMode::read(reader, app_env);
        let redis = RedisConfig::read(reader, app_env);
        let cache_entries = reader.number(
            "RATE_LIMIT_CACHE_ENTRIES",
            10_000,
            1..=1_000_000,
            "buckets over their limit that are remembered until their window ends, about 200 bytes each",
        );
        let metric_key_ids = metric_key_ids(reader);
        let envoy = envoy(reader);
        Some(Self {
            grpc_addr: grpc_addr?,
            trust_bundle: trust_bundle?,
            enabled: enabled?,
            limits: limits?,
            fail_mode: fail_mode?,
            redis: redis?,
            cache_entries: cache_entries?,
            metric_key_ids: metric_key_ids?,
            envoy: envoy?,
        })
    }
}

fn limits(reader: &mut Reader) -> Option<Limits> {
    let window = reader.seconds(
        "RATE_LIMIT_WINDOW_SEC",
        60,
        1..=86_400,
        "length of a window of the limits; the same for the limiter and whoever asks it",
    );
    let mut limit = |name, default, about| reader.number(name, default, 1..=1_000_000_000_u64, about);
    let free = limit(
        "RATE_LIMIT_MAX_FREE",
        100,
        "requests in a window for the tier free, and at an edge with credentials that do not verify, from one /24 or /48",
    );
    let pro = limit("RATE_LIMIT_MAX_PRO", 1_000, "requests in a window for the tier pro");
    let enterprise =
        limit("RATE_LIMIT_MAX_ENTERPRISE", 10_000, "requests in a window for the tier enterprise");
    Some(Limits { window: window?, free: free?, pro: pro?, enterprise: enterprise? })
}

/// Both or neither: without a credential nobody is answered, unless certificates say who asks; without rules nothing is
/// limited.
fn envoy(reader: &mut Reader) -> Option<Option<EnvoyConfig>> {
    let about = "JSON file that says what the descriptors of Envoys mean; read again each second";
    let rules = reader.optional_path("RATE_LIMIT_ENVOY_FILE", about);
    let about = "who may ask for Envoys: `domain=sha256[,sha256]`, separated by `;`, of what `mintmark token envoy` makes";
    let credentials = reader.optional("RATE_LIMIT_ENVOY_CREDENTIALS", about);
    reader.needed_when("RATE_LIMIT_ENVOY_FILE", "RATE_LIMIT_ENVOY_CREDENTIALS is set");
    reader.needed_when("RATE_LIMIT_ENVOY_CREDENTIALS", "RATE_LIMIT_ENVOY_FILE is set, TLS_CERT_FILE is not");
    match (rules?, credentials?) {
        (Some(rules), Some(text)) => match EnvoyCredentials::parse(&text) {
            Ok(credentials) => Some(Some(EnvoyConfig { rules, credentials: Some(credentials) })),
            Err(error) => {
                reader.problem("RATE_LIMIT_ENVOY_CREDENTIALS", error.to_string());
                None
            }
        },
        (None, None) => Some(None),
        (Some(rules), None) if reader.is_mutual() => Some(Some(EnvoyConfig { rules, credentials: None })),
        (Some(_), None) => {
            reader.problem(
                "RATE_LIMIT_ENVOY_CREDENTIALS",
                "is missing, and RATE_LIMIT_ENVOY_FILE is set: without it an Envoy needs a client certificate, and TLS_CERT_FILE is not set",
            );
            None
        }
        (None, Some(_)) => {
            reader.problem("RATE_LIMIT_ENVOY_FILE", "is missing, and RATE_LIMIT_ENVOY_CREDENTIALS is set");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LEAST: [(&str, &str); 2] =
        [("TRUST_BUNDLE_FILE", "/trust.json"), ("RATE_LIMIT_REDIS_URL", "redis://127.0.0.1:6379")];

    fn read(pairs: &[(&str, &str)]) -> Result<RatelimitConfig, String> {
        let mut reader = Reader::from_pairs(LEAST.iter().chain(pairs).copied());
        let config = RatelimitConfig::read(&mut reader);
        reader.finish(config).map_err(|errors| errors.to_string())
    }

    #[test]
    fn read_has_every_default_of_the_specification() {
        let config = read(&[]).unwrap();
        assert!(config.enabled, "RATE_LIMIT_ENABLED");
        assert_eq!(config.limits.window, Duration::from_secs(60), "RATE_LIMIT_WINDOW_SEC");
        assert_eq!(config.limits.free, 100, "RATE_LIMIT_MAX_FREE");
        assert_eq!(config.limits.pro, 1000, "RATE_LIMIT_MAX_PRO");
        assert_eq!(config.limits.enterprise, 10000, "RATE_LIMIT_MAX_ENTERPRISE");
        assert_eq!(config.fail_mode, FailMode::Closed, "RATE_LIMIT_FAIL_OPEN: false in production");
        for environment in ["development", "test"] {
            let config = read(&[("APP_ENV", environment)]).unwrap();
            assert_eq!(config.fail_mode, FailMode::Open, "RATE_LIMIT_FAIL_OPEN: true in {environment}");
        }
        assert_eq!(config.redis.budget, Duration::from_millis(25));
        assert_eq!(config.grpc_addr.to_string(), "127.0.0.1:9084");
    }

    #[test]
    fn read_takes_every_variable_of_the_specification() {
        let config = read(&[
            ("APP_ENV", "test"),
            ("RATE_LIMIT_ENABLED", "false"),
            ("RATE_LIMIT_WINDOW_SEC", "1"),
            ("RATE_LIMIT_MAX_FREE", "2"),
            ("RATE_LIMIT_MAX_PRO", "3"),
            ("RATE_LIMIT_MAX_ENTERPRISE", "4"),
            ("RATE_LIMIT_FAIL_OPEN", "false"),
        ])
        .unwrap();
        let limits = config.limits;
        assert!(!config.enabled);
        assert_eq!(
            (limits.window, limits.free, limits.pro, limits.enterprise),
            (Duration::from_secs(1), 2, 3, 4)
        );
        assert_eq!(config.fail_mode, FailMode::Closed);
    }

    #[test]
    fn read_refuses_what_would_open_a_door() {
        for (pairs, variable) in [
            (&[("RATE_LIMIT_ENABLED", "false")][..], "RATE_LIMIT_ENABLED"),
            (&[("RATE_LIMIT_ENABLED", "perhaps")], "RATE_LIMIT_ENABLED"),
            (&[("RATE_LIMIT_FAIL_OPEN", "perhaps")], "RATE_LIMIT_FAIL_OPEN"),
            (&[("RATE_LIMIT_MAX_FREE", "0")], "RATE_LIMIT_MAX_FREE"),
            (&[("RATE_LIMIT_WINDOW_SEC", "0")], "RATE_LIMIT_WINDOW_SEC"),
            (&[("RATE_LIMIT_REDIS_URL", "redis://redis.example:6379")], "RATE_LIMIT_REDIS_URL"),
            (&[("RATE_LIMIT_REDIS_URL", "redis://:hunter2@redis.example")], "RATE_LIMIT_REDIS_URL"),
            (&[("RATE_LIMIT_REDIS_URL", "http://127.0.0.1")], "RATE_LIMIT_REDIS_URL"),
            (&[("RATE_LIMIT_REDIS_MODE", "many")], "RATE_LIMIT_REDIS_MODE"),
            (&[("RATE_LIMIT_ENVOY_FILE", "/rules.json")], "RATE_LIMIT_ENVOY_CREDENTIALS"),
            (&[("RATE_LIMIT_ENVOY_CREDENTIALS", "edge=hunter2")], "RATE_LIMIT_ENVOY_FILE"),
            (
                &[("RATE_LIMIT_ENVOY_FILE", "/rules.json"), ("RATE_LIMIT_ENVOY_CREDENTIALS", "edge=hunter2")],
                "RATE_LIMIT_ENVOY_CREDENTIALS",
            ),
        ] {
            let said = read(pairs).err().unwrap_or_else(|| panic!("{pairs:?} was accepted"));
            assert!(said.starts_with(variable) && !said.contains("hunter2"), "{pairs:?}: {said}");
        }
        let certified = [("RATE_LIMIT_ENVOY_FILE", "/rules.json"), ("TLS_CERT_FILE", "/tls.crt")];
        assert!(read(&certified).unwrap().envoy.unwrap().credentials.is_none(), "certificates will do");
        read(&[("RATE_LIMIT_REDIS_URL", "rediss://redis.example:6379")]).unwrap();
        read(&[("APP_ENV", "development"), ("RATE_LIMIT_REDIS_URL", "redis://redis.example")]).unwrap();
        let open = read(&[("RATE_LIMIT_FAIL_OPEN", "true")]).unwrap();
        assert_eq!(open.fail_mode, FailMode::Open, "asked for by name, also in production");
    }
}
