//! The true services in this process, on a Postgres of their own: control plane, resolver directory, resolver scan, rate
//! limiter, preflight gateway, console, evidence vault.
//!
//! [`on_stage`] starts them once for the whole test binary and gives two tenants with everything a route can name. A test that
//! changes things calls [`Stage::shop`] for a tenant of its own. [`every_route`] and [`every_rpc`] list all doors: what has
//! none of the expectations of a test is a failure of that test.

mod calls;
mod doors;
mod shop;
mod vault;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::LazyLock;

use mintmark_auth::envoy::{self, IssuedEnvoyCredential};
use mintmark_auth::{
    DEFAULT_ISSUER, Grant, SigningKey, TokenSource, TrustBundle, TrustedKey, audience, control, scope,
};
use mintmark_devstack::testdb::{self, TestDb};
use mintmark_ids::ServiceName;
use mintmark_service::Context;
use mintmark_service::config::Reader;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

pub use calls::{Reply, kept_channel};
pub use doors::{Door, RpcDoor, every_route, every_rpc, open_rpcs, own_rpcs};
pub use shop::Shop;

/// Base64 of 32 times the letter m: good enough for a test's keys.
const KEY: &str = "bW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW0=";

/// The domain of the Envoy's credential.
pub const ENVOY_DOMAIN: &str = "edge";

/// The services, and every key that signs for them: an attack may use any of it in the wrong place.
pub struct Stage {
    /// The control plane's HTTP edge, like `http://127.0.0.1:1234`.
    pub control: String,
    /// The control plane's gRPC edge: the exchange of tokens, health and reflection.
    pub control_grpc: SocketAddr,
    /// The scan role's HTTP edge.
    pub scan: String,
    /// The directory's gRPC edge.
    pub directory: SocketAddr,
    /// The preflight gateway's HTTP edge.
    pub gateway: String,
    /// Its gRPC edge.
    pub gateway_grpc: SocketAddr,
    /// The evidence vault's gRPC edge.
    pub vault: SocketAddr,
    /// The console's HTTP edge.
    pub console: String,
    /// The limiter's gRPC edge.
    pub limiter: SocketAddr,
    /// What an Envoy presents there, for the domain [`ENVOY_DOMAIN`].
    pub envoy_credential: String,
    /// The operator's token.
    pub control_token: String,
    /// The control plane's identity (PEM): in the trust bundle, with all scopes of the directory and of preflight.
    pub identity_pem: String,
    /// Signs people's sessions (PEM): in no trust bundle.
    pub session_pem: String,
    /// The identity of a second service, `preflight-gateway` (PEM): in the trust bundle with `directory:read` alone.
    pub reader_pem: String,
    /// The console's identity (PEM): in the trust bundle with `tokens:exchange` alone.
    pub console_pem: String,
    /// Mints with the control plane's identity, as the control plane does.
    pub tokens: TokenSource,
    /// One tenant with everything that a route can name.
    pub ours: Shop,
    /// The same of another tenant.
    pub theirs: Shop,
    http: reqwest::Client,
    // Kept for as long as the services run.
    _folder: TempDir,
    /// The control plane's, the resolver's and the preflight gateway's.
    pub databases: [TestDb; 3],
    /// The evidence vault's, apart: whatever is refused there leaves an audit entry.
    _vault_database: TestDb,
}

/// One runtime for all tests: the services outlive each of them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static STAGE: OnceCell<Stage> = OnceCell::const_new();

/// Runs a test on the stage, which is started by the first that asks.
///
/// ```ignore
/// #[test]
/// fn call_without_a_token_is_refused() {
///     on_stage(async |stage| { … });
/// }
/// ```
pub fn on_stage(test: impl AsyncFnOnce(&'static Stage)) {
    wait_for(test(started()));
}

/// The stage itself, for what is not asynchronous.
pub fn started() -> &'static Stage {
    wait_for(STAGE.get_or_init(Stage::start))
}

/// The address of an edge, like `http://127.0.0.1:1234`.
pub fn address(base: &str) -> SocketAddr {
    base.trim_start_matches("http://").parse().unwrap()
}

/// Waits for a future on the runtime that the services run on.
pub fn wait_for<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}

impl Stage {
    async fn start() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let databases = [
            testdb::database("control-plane").await,
            testdb::database("resolver").await,
            testdb::database("preflight-gateway").await,
        ];
        let [identity_pem, session_pem, reader_pem, console_pem] =
            [(); 4].map(|()| SigningKey::generate_pem().as_str().to_owned());
        let trust = trust_bundle(&identity_pem, &reader_pem, &console_pem);
        std::fs::write(folder.path().join("trust.json"), trust.to_json()).unwrap();
        std::fs::write(folder.path().join("identity.pem"), &identity_pem).unwrap();
        std::fs::write(folder.path().join("sessions.pem"), &session_pem).unwrap();
        std::fs::write(folder.path().join("console.pem"), &console_pem).unwrap();
        let control_token = control::generate().expose_secret().to_owned();

        let directory = start_directory(&databases[1], folder.path()).await;
        let scan = start_scan(&databases[1]).await;
        let envoy = envoy::generate();
        let limiter = start_limiter(folder.path(), &envoy).await;
        let (gateway, gateway_grpc) = start_gateway(&databases[2], folder.path()).await;
        let vault_database = testdb::database("evidence-vault").await;
        let vault = vault::start(&vault_database, folder.path()).await;
        let (control, control_grpc) =
            start_control(&databases[0], folder.path(), &control_token, (directory, vault)).await;
        let console = start_console(folder.path(), control_grpc, gateway_grpc).await;
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let http = http.build().unwrap();
        let identity = SigningKey::from_pem(&identity_pem).unwrap();
        let tokens = TokenSource::new(ServiceName::ControlPlane, identity, DEFAULT_ISSUER);
        let makers = shop::Maker { http: &http, base: &control, control: &control_token };
        let (ours, theirs) = tokio::join!(makers.shop(), makers.shop());
        Stage {
            control: format!("http://{control}"),
            control_grpc,
            scan: format!("http://{scan}"),
            directory,
            gateway: format!("http://{gateway}"),
            gateway_grpc,
            vault,
            console: format!("http://{console}"),
            limiter,
            envoy_credential: envoy.credential.expose_secret().to_owned(),
            control_token,
            identity_pem,
            session_pem,
            reader_pem,
            console_pem,
            tokens,
            ours,
            theirs,
            http,
            _folder: folder,
            databases,
            _vault_database: vault_database,
        }
    }

    /// A further tenant with everything that a route can name, for a test that changes it.
    pub async fn shop(&self) -> Shop {
        let base = address(&self.control);
        shop::Maker { http: &self.http, base: &base, control: &self.control_token }.shop().await
    }

    /// Mints with the console's identity, as the console does.
    pub fn console_tokens(&self) -> TokenSource {
        let key = SigningKey::from_pem(&self.console_pem).unwrap();
        TokenSource::new(ServiceName::Console, key, DEFAULT_ISSUER)
    }

    /// The HTTP edge of a service, as [`Door::service`] names it.
    pub fn base(&self, service: &str) -> &str {
        match service {
            "control-plane" => &self.control,
            "resolver-scan" => &self.scan,
            "preflight-gateway" => &self.gateway,
            "console" => &self.console,
            other => {
                panic!("the stage runs no HTTP edge of `{other}`: start it in tests/attack/stage/mod.rs")
            }
        }
    }

    /// Every gRPC edge on the stage, by service.
    pub fn grpc_edges(&self) -> [(&'static str, SocketAddr); 5] {
        [
            ("control-plane", self.control_grpc),
            ("resolver-directory", self.directory),
            ("ratelimit", self.limiter),
            ("preflight-gateway", self.gateway_grpc),
            ("evidence-vault", self.vault),
        ]
    }
}

/// The control plane may say everything, the second service may read the directory, the console may exchange tokens.
fn trust_bundle(identity: &str, reader: &str, console: &str) -> TrustBundle {
    let key = |pem: &str| SigningKey::from_pem(pem).unwrap().public_jwk();
    let grant = |aud: &str, scopes: &[&str]| Grant {
        aud: aud.to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
    };
    let directory = [scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ];
    let all = vec![
        grant(audience::RESOLVER, &directory),
        grant(audience::PREFLIGHT, &scope::PREFLIGHT),
        grant(audience::RATELIMIT, &[scope::RATELIMIT_CHECK]),
        grant(audience::EVIDENCE, &scope::EVIDENCE),
    ];
    let some = vec![grant(audience::RESOLVER, &[scope::DIRECTORY_READ])];
    let trusted = |pem, service, grants| TrustedKey { jwk: key(pem), service, grants };
    let keys = vec![
        trusted(identity, ServiceName::ControlPlane, all),
        trusted(reader, ServiceName::PreflightGateway, some),
        trusted(console, ServiceName::Console, vec![grant(audience::REGISTRY, &[scope::TOKENS_EXCHANGE])]),
    ];
    TrustBundle::new(DEFAULT_ISSUER, keys).unwrap()
}

async fn start_directory(db: &TestDb, folder: &Path) -> SocketAddr {
    let config = read(
        &[
            ("DIRECTORY_GRPC_ADDR", "127.0.0.1:0"),
            ("DIRECTORY_DATABASE_URL", &db.url("resolver_directory")),
            ("CODE_PEPPERS", &format!("1:{KEY}")),
            ("TRUST_BUNDLE_FILE", folder.join("trust.json").to_str().unwrap()),
        ],
        mintmark_resolver::config::DirectoryConfig::read,
    );
    let context = Context::for_tests("resolver-directory");
    let service = mintmark_resolver::directory::build(config, &context).await.unwrap();
    let addr = service.addr;
    tokio::spawn(async move { service.serve().await.unwrap() });
    addr
}

async fn start_scan(db: &TestDb) -> SocketAddr {
    let config = read(
        &[
            ("SCAN_HTTP_ADDR", "127.0.0.1:0"),
            ("SCAN_DATABASE_URL", &db.url("resolver_scan")),
            ("CODE_PEPPERS", &format!("1:{KEY}")),
        ],
        mintmark_resolver::config::ScanConfig::read,
    );
    let context = Context::for_tests("resolver-scan");
    let service = mintmark_resolver::scan::build(config, &context).await.unwrap();
    let addr = service.addr;
    tokio::spawn(async move { service.serve().await.unwrap() });
    addr
}

/// Its one bucket has one file, of a tenant that no other service knows.
async fn start_gateway(db: &TestDb, folder: &Path) -> (SocketAddr, SocketAddr) {
    let bucket = folder.join("bucket");
    std::fs::create_dir_all(bucket.join("fuzzed")).unwrap();
    std::fs::write(bucket.join("fuzzed/a.pdf"), b"%PDF-1.7").unwrap();
    let buckets = format!(
        r#"{{"fuzz-bucket": {{"store": "file://{}", "tenants": {{"fuzzed": ["fuzzed/"]}}}}}}"#,
        bucket.display()
    );
    let config = read(
        &[
            ("PREFLIGHT_HTTP_ADDR", "127.0.0.1:0"),
            ("PREFLIGHT_GRPC_ADDR", "127.0.0.1:0"),
            ("PREFLIGHT_DATABASE_URL", &db.url("preflight_gateway")),
            ("PREFLIGHT_BUCKETS", &buckets),
            ("TRUST_BUNDLE_FILE", folder.join("trust.json").to_str().unwrap()),
            ("RATE_LIMIT_ENABLED", "false"),
        ],
        mintmark_preflight_gateway::config::GatewayConfig::read,
    );
    let context = Context::for_tests("preflight-gateway");
    let service = mintmark_preflight_gateway::gateway::build(config, &context).await.unwrap();
    let (http, grpc) = (service.http_addr, service.grpc_addr);
    tokio::spawn(async move { service.serve().await.unwrap() });
    (http, grpc)
}

async fn start_console(folder: &Path, control: SocketAddr, gateway: SocketAddr) -> SocketAddr {
    let config = read(
        &[
            ("CONSOLE_HTTP_ADDR", "127.0.0.1:0"),
            ("CONSOLE_SIGNING_KEY_FILE", folder.join("console.pem").to_str().unwrap()),
            ("TRUST_BUNDLE_FILE", folder.join("trust.json").to_str().unwrap()),
            ("CONTROL_PLANE_GRPC_URL", &format!("http://{control}")),
            ("PREFLIGHT_GATEWAY_GRPC_URL", &format!("http://{gateway}")),
        ],
        mintmark_console::config::ConsoleConfig::read,
    );
    let context = Context::for_tests("console");
    let service = mintmark_console::build(config, &context).await.unwrap();
    let addr = service.addr;
    tokio::spawn(async move { service.serve().await.unwrap() });
    addr
}

/// Its Redis is away: who may ask is decided before anybody counts.
async fn start_limiter(folder: &Path, envoy: &IssuedEnvoyCredential) -> SocketAddr {
    let rules = folder.join("rules.json");
    std::fs::write(&rules, r#"{"domains": {}}"#).unwrap();
    let config = read(
        &[
            ("RATELIMIT_GRPC_ADDR", "127.0.0.1:0"),
            ("TRUST_BUNDLE_FILE", folder.join("trust.json").to_str().unwrap()),
            ("RATE_LIMIT_REDIS_URL", "unix:///nonexistent/redis.sock"),
            ("RATE_LIMIT_ENVOY_FILE", rules.to_str().unwrap()),
            ("RATE_LIMIT_ENVOY_CREDENTIALS", &format!("{ENVOY_DOMAIN}={}", envoy.sha256)),
        ],
        mintmark_ratelimit::config::RatelimitConfig::read,
    );
    let context = Context::for_tests("ratelimit");
    let service = mintmark_ratelimit::build(config, &context).await.unwrap();
    let addr = service.addr;
    tokio::spawn(async move { service.serve().await.unwrap() });
    addr
}

async fn start_control(
    db: &TestDb,
    folder: &Path,
    control: &str,
    (directory, vault): (SocketAddr, SocketAddr),
) -> (SocketAddr, SocketAddr) {
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let config = read(
        &[
            ("CONTROL_HTTP_ADDR", "127.0.0.1:0"),
            ("CONTROL_GRPC_ADDR", "127.0.0.1:0"),
            ("CONTROL_DATABASE_URL", &db.url("control_app")),
            ("PPOS_CONTROL_TOKEN", control),
            ("CONTROL_SIGNING_KEY_FILE", &file("identity.pem")),
            ("SESSION_SIGNING_KEY_FILE", &file("sessions.pem")),
            ("TRUST_BUNDLE_FILE", &file("trust.json")),
            ("CODE_MASTER_KEY", KEY),
            ("CODE_BASE_URL", "https://id.example"),
            ("RATE_LIMIT_ENABLED", "false"),
            ("DIRECTORY_GRPC_URL", &format!("http://{directory}")),
            ("EVIDENCE_VAULT_GRPC_URL", &format!("http://{vault}")),
            ("EXPORT_STORE_URL", &format!("file://{}", file("objects"))),
            ("EXPORT_URL_SIGNING_KEY", KEY),
        ],
        mintmark_control_plane::Config::read,
    );
    let context = Context::for_tests("control-plane");
    let service = mintmark_control_plane::build(config, &context).await.unwrap();
    let (http, grpc) = (service.http_addr, service.grpc_addr);
    tokio::spawn(async move { service.run().await.unwrap() });
    (http, grpc)
}

/// A configuration as the program itself reads it.
fn read<T>(variables: &[(&str, &str)], parse: impl FnOnce(&mut Reader) -> Option<T>) -> T {
    let all = variables.iter().copied().chain([("APP_ENV", "test")]);
    let mut reader = Reader::from_pairs(all);
    let config = parse(&mut reader);
    reader.finish(config).unwrap_or_else(|errors| panic!("{errors}"))
}
