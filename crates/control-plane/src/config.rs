//! Configuration of `control-plane serve` and `control-plane migrate`, from the environment alone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use mintmark_auth::{ControlToken, DEFAULT_ISSUER, KeyRingError, KeyStore, MAX_SESSION_TTL};
use mintmark_codes::link::Base;
use mintmark_db::DbConfig;
use mintmark_fault::Chain;
use mintmark_minting::CodeMasterKey;
use mintmark_objects::StoreConfig;
use mintmark_service::config::{AppEnv, Reader, is_loopback};
use mintmark_service::network::Network;
use url::Url;

use crate::keys::Keys;

mod code_keys;
mod limits;

pub use limits::LimitConfig;

/// Everything that `serve` needs, checked: keys are read and parsed, addresses and URLs make sense together.
pub struct Config {
    /// The declared environment.
    pub app_env: AppEnv,
    /// Where `/api/admin`, `/v1` and the public documents answer.
    pub http_addr: SocketAddr,
    /// Where gRPC answers: the exchange of tokens, health and reflection.
    pub grpc_addr: SocketAddr,
    /// The database, with the application's login.
    pub database: DbConfig,
    /// The operator's token, which never leaves this process.
    pub control_token: ControlToken,
    /// Who issues our tokens.
    pub issuer: String,
    /// This service's identity, and what signs people's sessions.
    pub keys: Keys,
    /// How long a session lives at most.
    pub session_ttl: Duration,
    /// Wraps the secrets that codes are derived from.
    pub code_master_key: CodeMasterKey,
    /// The resolver's directory.
    pub directory_url: String,
    /// The preflight gateway, whose jobs are taken over into the registry.
    pub preflight_gateway_url: String,
    /// The evidence vault.
    pub evidence_vault_url: String,
    /// Who may sign what: for callers of our own gRPC, and for PREFLIGHT_JWTs that are presented here.
    pub trust_bundle: PathBuf,
    /// How requests are limited; none where nothing is.
    pub limits: Option<LimitConfig>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Where printed codes lead.
    pub code_base: Base,
    /// How this service is reached from outside.
    pub public_url: String,
    /// Where export packs are kept.
    pub export_store: StoreConfig,
    /// How long an export pack is kept.
    pub export_retention: Duration,
    /// Units in each part of an export pack.
    pub export_part_units: u32,
    /// Units published at a time.
    pub mint_chunk_units: u32,
    /// Between two pulls of a tenant's scans.
    pub scan_pull: Duration,
    /// Jobs worked on at once; 0: this process runs none.
    pub job_workers: usize,
    /// How long a claim of a job is worth without a heartbeat.
    pub job_lease: Duration,
}

const DAY_SECS: u64 = 24 * 60 * 60;

impl Config {
    /// Reads all variables; problems are left in the reader.
    pub fn read(reader: &mut Reader) -> Option<Config> {
        let app_env = reader.app_env();
        let http_addr = reader.addr("CONTROL_HTTP_ADDR", "127.0.0.1:8080", "where the HTTP edge answers");
        let grpc_addr =
            reader.grpc_addr(app_env, "CONTROL_GRPC_ADDR", "127.0.0.1:9080", "where gRPC answers");
        let database = DbConfig::read(
            reader,
            "CONTROL_DATABASE_URL",
            "the control plane's Postgres database, as the login control_app",
        );
        let control_token = control_token(reader);
        let issuer = reader.string("AUTH_ISSUER", DEFAULT_ISSUER, "issuer of our tokens");
        let keys = keys(reader);
        let session_ttl = reader.seconds(
            "SESSION_TTL_SECS",
            43_200,
            1..=MAX_SESSION_TTL.as_secs(),
            "how long a session lives at most",
        );
        let code_master_key = code_keys::read(reader);
        let directory_url = reader.peer_url(
            app_env,
            "DIRECTORY_GRPC_URL",
            "http://127.0.0.1:9081",
            "the resolver's directory",
        );
        let preflight_gateway_url = reader.peer_url(
            app_env,
            "PREFLIGHT_GATEWAY_GRPC_URL",
            "http://127.0.0.1:9082",
            "the preflight gateway",
        );
        let evidence_vault_url = reader.peer_url(
            app_env,
            "EVIDENCE_VAULT_GRPC_URL",
            "http://127.0.0.1:9083",
            "the evidence vault",
        );
        let trust_bundle = reader.path(
            "TRUST_BUNDLE_FILE",
            "keys of the services, and what each of them may grant; reloaded when it changes",
        );
        let limits = LimitConfig::read(reader, app_env, |reader| {
            reader.peer_url(app_env, "RATELIMIT_GRPC_URL", "http://127.0.0.1:9084", "the rate limiter")
        });
        let trusted_proxies = Network::read_proxies(reader, "CONTROL_TRUSTED_PROXIES");
        let code_base = code_base(reader, app_env);
        let public_url = url(
            reader,
            app_env,
            "CONTROL_PUBLIC_URL",
            "http://127.0.0.1:8080",
            "how this service is reached from outside; signed URLs of an export pack in a folder start with it",
        );
        let export_store = StoreConfig::read(reader, "EXPORT", public_url.as_deref().unwrap_or_default());
        let retention_days =
            reader.number("EXPORT_RETENTION_DAYS", 7, 1..=3_650, "days that an export pack is kept");
        let export_part_units =
            reader.number("EXPORT_PART_UNITS", 50_000, 1..=1_000_000, "units in each part of an export pack");
        let mint_chunk_units =
            reader.number("MINT_CHUNK_UNITS", 50_000, 1..=100_000, "units published at a time");
        let scan_pull = reader.seconds(
            "SCAN_PULL_SECS",
            10,
            1..=3_600,
            "seconds between two pulls of a tenant's scans from the directory",
        );
        let job_workers =
            reader.number("JOB_WORKERS", 2, 0..=64, "jobs worked on at once; 0: none in this process");
        let job_lease = reader.seconds(
            "JOB_LEASE_SECS",
            30,
            3..=600,
            "seconds after which another worker takes over a job whose worker is silent",
        );
        Some(Config {
            app_env: app_env?,
            http_addr: http_addr?,
            grpc_addr: grpc_addr?,
            database: database?,
            control_token: control_token?,
            issuer: issuer?,
            keys: keys?,
            session_ttl: session_ttl?,
            code_master_key: code_master_key?,
            directory_url: directory_url?,
            preflight_gateway_url: preflight_gateway_url?,
            evidence_vault_url: evidence_vault_url?,
            trust_bundle: trust_bundle?,
            limits: limits?,
            trusted_proxies: trusted_proxies?,
            code_base: code_base?,
            public_url: public_url?,
            export_store: export_store?,
            export_retention: Duration::from_secs(DAY_SECS * retention_days?),
            export_part_units: export_part_units?,
            mint_chunk_units: mint_chunk_units?,
            scan_pull: scan_pull?,
            job_workers: job_workers?,
            job_lease: job_lease?,
        })
    }
}

fn control_token(reader: &mut Reader) -> Option<ControlToken> {
    const NAME: &str = "PPOS_CONTROL_TOKEN";
    let secret =
        reader.secret(NAME, "the operator's token for /api/admin; mintmark token control makes one")?;
    // The sentence of the error names the command that makes a good one, and never the value.
    ControlToken::parse(secret.expose()).map_err(|error| reader.problem(NAME, error.to_string())).ok()
}

/// The keys of both files. A session key that is also the service's identity would let whoever holds one act as the other.
fn keys(reader: &mut Reader) -> Option<Keys> {
    const SESSION: &str = "SESSION_SIGNING_KEY_FILE";
    let identity = key_file(
        reader,
        "CONTROL_SIGNING_KEY_FILE",
        "Ed25519 keys (PEM) of this service's identity; the first signs, reloaded when they change",
    );
    let session = key_file(
        reader,
        SESSION,
        "other Ed25519 keys (PEM) for people's sessions; the first signs, reloaded when they change",
    );
    let keys = Keys { identity: identity?, session: session? };
    keys.session
        .apart_from(&keys.identity)
        .map_err(|error| reader.problem(SESSION, error.to_string()))
        .ok()?;
    Some(keys)
}

fn key_file(reader: &mut Reader, name: &'static str, about: &'static str) -> Option<KeyStore> {
    let path = reader.secret_path(name, about)?;
    let unreadable = |error: KeyRingError| match error {
        KeyRingError::Unreadable(cause) => format!("{} cannot be read: {cause}", path.display()),
        other => Chain(&other).to_string(),
    };
    KeyStore::load(&path).map_err(|error| reader.problem(name, unreadable(error))).ok()
}

fn code_base(reader: &mut Reader, app_env: Option<AppEnv>) -> Option<Base> {
    const NAME: &str = "CODE_BASE_URL";
    let text = reader.required(NAME, "what printed codes start with, like https://id.example")?;
    let base = Base::parse(&text).map_err(|error| reader.problem(NAME, error.to_string())).ok()?;
    encrypted(reader, app_env, NAME, &text).then_some(base)
}

fn url(
    reader: &mut Reader,
    app_env: Option<AppEnv>,
    name: &'static str,
    default: &str,
    about: &'static str,
) -> Option<String> {
    let text = reader.url(name, default, about)?;
    encrypted(reader, app_env, name, &text).then_some(text)
}

/// Plain http is for this machine alone, unless the environment says that nothing here is worth protecting.
fn encrypted(reader: &mut Reader, app_env: Option<AppEnv>, name: &'static str, text: &str) -> bool {
    let insecure = Url::parse(text).is_ok_and(|url| url.scheme() == "http" && !is_loopback(&url));
    // An APP_ENV that could not be read is reported by itself.
    if insecure && app_env.is_some_and(AppEnv::is_production) {
        reader.problem(name, "is http:// to another machine: use https://, or set APP_ENV=development");
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(app_env: AppEnv, url: &str) -> bool {
        let mut reader = Reader::from_pairs::<&str, &str>([]);
        let fine = encrypted(&mut reader, Some(app_env), "CONTROL_PUBLIC_URL", url);
        assert_eq!(reader.finish(Some(())).is_ok(), fine);
        fine
    }

    #[test]
    fn encrypted_refuses_http_to_another_machine_in_production_alone() {
        for (url, fine) in [
            ("https://control.example", true),
            ("http://control.example", false),
            ("http://10.0.0.7:8080", false),
            ("http://127.0.0.1.example", false),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://localhost:8080", true),
        ] {
            assert_eq!(check(AppEnv::Production, url), fine, "{url}");
            assert!(check(AppEnv::Development, url), "{url}");
        }
    }

    #[test]
    fn read_with_nothing_set_names_every_required_variable() {
        let mut reader = Reader::from_pairs::<&str, &str>([]);
        let config = Config::read(&mut reader);
        let errors = reader.finish(config).err().unwrap();
        let names: Vec<&str> = errors.problems().map(|(name, _)| name).collect();
        for name in [
            "CONTROL_DATABASE_URL",
            "PPOS_CONTROL_TOKEN",
            "CONTROL_SIGNING_KEY_FILE",
            "SESSION_SIGNING_KEY_FILE",
            "TRUST_BUNDLE_FILE",
            "CODE_MASTER_KEY",
            "CODE_BASE_URL",
            "EXPORT_STORE_URL",
            "EXPORT_URL_SIGNING_KEY",
        ] {
            assert!(names.contains(&name), "{name} is missing in {names:?}");
        }
    }

    #[test]
    fn read_with_a_control_token_without_our_prefix_says_how_to_make_one() {
        let mut reader = Reader::from_pairs([("PPOS_CONTROL_TOKEN", "swordfish")]);
        let config = Config::read(&mut reader);
        let errors = reader.finish(config).err().unwrap();
        let (_, sentence) = errors.problems().find(|(name, _)| *name == "PPOS_CONTROL_TOKEN").unwrap();
        assert!(sentence.contains("mintmark token control"), "{sentence}");
        assert!(!sentence.contains("swordfish"), "{sentence}");
    }
}
