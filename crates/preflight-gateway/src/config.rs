//! Configuration of the three commands, from the environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use mintmark_auth::{DEFAULT_ISSUER, KeyRingError, KeyStore};
use mintmark_db::DbConfig;
use mintmark_fault::Chain;
use mintmark_objects::IntakeConfig;
use mintmark_rpc::client::LimitPolicy;
use mintmark_service::config::Reader;
use mintmark_service::limit::enabled;
use mintmark_service::network::Network;

mod worker;

pub use worker::WorkerConfig;

/// Largest file that is preflighted when nothing is said: a large format poster, not an archive.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Configuration of `preflight-gateway gateway`.
pub struct GatewayConfig {
    /// Where HTTP answers.
    pub http_addr: SocketAddr,
    /// Where gRPC answers.
    pub grpc_addr: SocketAddr,
    /// The database, as the login `preflight_gateway`.
    pub database: DbConfig,
    /// The trust bundle.
    pub trust_bundle: PathBuf,
    /// The buckets that files are taken from.
    pub buckets: IntakeConfig,
    /// Largest file that is accepted.
    pub max_file_bytes: u64,
    /// How requests are limited; none where nothing is.
    pub limits: Option<LimitConfig>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
}

/// How requests are limited: whom to ask, in whose name, and what to do when nobody answers.
pub struct LimitConfig {
    /// The rate limiter.
    pub url: String,
    /// What happens while it is away.
    pub policy: LimitPolicy,
    /// Credentials that did not verify which one /24 or /48 may bring in a window.
    pub unverified: u64,
    /// The length of that window.
    pub window: Duration,
    /// This service's identity, which signs its questions.
    pub identity: KeyStore,
    /// Issuer of its tokens.
    pub issuer: String,
}

impl GatewayConfig {
    /// Reads it; problems are kept by the reader.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let http_addr = reader.addr("PREFLIGHT_HTTP_ADDR", "127.0.0.1:8082", "where the HTTP edge answers");
        let app_env = reader.app_env();
        let grpc_addr =
            reader.grpc_addr(app_env, "PREFLIGHT_GRPC_ADDR", "127.0.0.1:9082", "where the gRPC edge answers");
        let database = DbConfig::read(
            reader,
            "PREFLIGHT_DATABASE_URL",
            "the gateway's Postgres database, as the login preflight_gateway",
        );
        let trust_bundle = reader.path(
            "TRUST_BUNDLE_FILE",
            "keys of the services, and what each of them may grant; reloaded when it changes",
        );
        let buckets = IntakeConfig::read(reader, "PREFLIGHT_BUCKETS");
        let max_file_bytes = max_file_bytes(reader);
        let limits = LimitConfig::read(reader);
        let trusted_proxies = Network::read_proxies(reader, "PREFLIGHT_TRUSTED_PROXIES");
        Some(GatewayConfig {
            http_addr: http_addr?,
            grpc_addr: grpc_addr?,
            database: database?.named("preflight-gateway"),
            trust_bundle: trust_bundle?,
            buckets: buckets?,
            max_file_bytes: max_file_bytes?,
            limits: limits?,
            trusted_proxies: trusted_proxies?,
        })
    }
}

impl LimitConfig {
    /// `Some(None)` where nothing is limited, which production refuses.
    fn read(reader: &mut Reader) -> Option<Option<Self>> {
        let app_env = reader.app_env();
        let enabled = enabled(reader, app_env);
        let url = reader.peer_url(app_env, "RATELIMIT_GRPC_URL", "http://127.0.0.1:9084", "the rate limiter");
        let policy = LimitPolicy::read(reader, app_env);
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
        let issuer = reader.string("AUTH_ISSUER", DEFAULT_ISSUER, "issuer of our tokens");
        let identity = identity(reader, enabled == Some(true));
        let config = LimitConfig {
            url: url?,
            policy: policy?,
            unverified: unverified?,
            window: window?,
            issuer: issuer?,
            identity: match (enabled?, identity?) {
                (true, Some(identity)) => identity,
                _ => return Some(None),
            },
        };
        Some(Some(config))
    }
}

/// The keys of this service's identity; only questions to the rate limiter are signed with them.
fn identity(reader: &mut Reader, needed: bool) -> Option<Option<KeyStore>> {
    const NAME: &str = "PREFLIGHT_SIGNING_KEY_FILE";
    let about = "Ed25519 keys (PEM) of this service's identity; the first signs, reloaded when they change";
    let path = reader.optional_secret_path(NAME, about);
    reader.needed_when(NAME, "RATE_LIMIT_ENABLED is true");
    let path = match path? {
        Some(path) => path,
        None if needed => {
            reader.problem(NAME, "is not set: the rate limiter is asked under a token that this key signs");
            return None;
        }
        None => return Some(None),
    };
    let unreadable = |error: KeyRingError| match error {
        KeyRingError::Unreadable(cause) => format!("{} cannot be read: {cause}", path.display()),
        other => Chain(&other).to_string(),
    };
    let keys = KeyStore::load(&path).map_err(|error| reader.problem(NAME, unreadable(error)));
    Some(Some(keys.ok()?))
}

fn max_file_bytes(reader: &mut Reader) -> Option<u64> {
    reader.number(
        "PREFLIGHT_MAX_FILE_BYTES",
        MAX_FILE_BYTES,
        1..=4 << 30,
        "the largest file that is preflighted, in bytes",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_with_nothing_set_names_every_required_variable() {
        let mut reader = Reader::from_pairs::<&str, &str>([]);
        let config = GatewayConfig::read(&mut reader);
        let errors = reader.finish(config).err().unwrap();
        let names: Vec<&str> = errors.problems().map(|(name, _)| name).collect();
        assert_eq!(names, ["PREFLIGHT_DATABASE_URL", "TRUST_BUNDLE_FILE", "PREFLIGHT_SIGNING_KEY_FILE"]);
    }
}
