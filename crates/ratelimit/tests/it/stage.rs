//! Replicas of the service on one Redis, and those who ask them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mintmark_auth::{
    CertificateIdentity, DEFAULT_ISSUER, Grant, SigningKey, Tier, TokenSource, TrustBundle, TrustedEnvoy,
    TrustedKey, audience, scope,
};
use mintmark_ids::{ApiKeyId, ServiceName, TenantId};
use mintmark_ratelimit::config::RatelimitConfig;
use mintmark_rpc::Target;
use mintmark_rpc::client::{Decision, LimitKey, LimitPolicy, LimitRequest, Owner, Ratelimit};
use mintmark_service::Context;
use mintmark_service::config::Reader;
use mintmark_service::limit::{DEFAULT_KEY_IDS, FailMode, LimitAnswer};
use tempfile::TempDir;

/// What every request of the tests shares.
pub const NAMESPACE: &str = "test";

/// A key that the services trust, and their configuration.
pub struct Stage {
    pub tokens: TokenSource,
    folder: TempDir,
    budget_ms: &'static str,
}

/// A running replica.
pub struct Replica {
    pub addr: SocketAddr,
    pub context: Context,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.context.shutdown.trigger();
    }
}

impl Stage {
    /// Services that wait long for Redis: what is tested is what they decide, and a busy machine is no outage.
    pub fn new() -> Self {
        Self::with_budget("1000")
    }

    /// Services that wait as long as they do by default.
    pub fn strict() -> Self {
        Self::with_budget("25")
    }

    fn with_budget(budget_ms: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::from_pem(&SigningKey::generate_pem()).unwrap();
        let grants =
            [(audience::RATELIMIT, scope::RATELIMIT_CHECK), (audience::RESOLVER, scope::DIRECTORY_READ)]
                .map(|(aud, scope)| Grant { aud: aud.to_owned(), scopes: vec![scope.to_owned()] })
                .to_vec();
        let trusted = TrustedKey { jwk: key.public_jwk(), service: ServiceName::ControlPlane, grants };
        let bundle = TrustBundle::new(DEFAULT_ISSUER, vec![trusted]).unwrap().to_json();
        std::fs::write(folder.path().join("trust.json"), bundle).unwrap();
        Self { tokens: TokenSource::new(ServiceName::ControlPlane, key, DEFAULT_ISSUER), folder, budget_ms }
    }

    pub fn trust_bundle(&self) -> PathBuf {
        self.folder.path().join("trust.json")
    }

    /// The configuration that these variables give.
    pub fn config(&self, variables: &[(&str, &str)]) -> RatelimitConfig {
        let trust_bundle = self.trust_bundle();
        let mut reader = Reader::from_pairs(
            [("APP_ENV", "test"), ("RATELIMIT_GRPC_ADDR", "127.0.0.1:0"), ("RATE_LIMIT_FAIL_OPEN", "false")]
                .into_iter()
                .chain([
                    ("TRUST_BUNDLE_FILE", path(&trust_bundle)),
                    ("RATE_LIMIT_REDIS_BUDGET_MS", self.budget_ms),
                ])
                .chain(variables.iter().copied()),
        );
        let config = RatelimitConfig::read(&mut reader);
        reader.finish(config).unwrap()
    }

    /// Writes the Envoys that the trust bundle names, and their domains.
    pub fn name_envoys(&self, envoys: &[(CertificateIdentity, &[&str])]) {
        let bundle = TrustBundle::parse(&std::fs::read_to_string(self.trust_bundle()).unwrap()).unwrap();
        let envoys = envoys.iter().map(|(it, domains)| TrustedEnvoy::new(it.clone(), domains).unwrap());
        let bundle = bundle.with_envoys(envoys.collect()).unwrap();
        std::fs::write(self.trust_bundle(), bundle.to_json()).unwrap();
    }

    /// A replica with these variables, which knows its Redis.
    pub async fn replica(&self, variables: &[(&str, &str)]) -> Replica {
        self.replica_in(Context::for_tests("ratelimit"), variables).await
    }

    /// The same with the certificate of this context.
    pub async fn replica_in(&self, context: Context, variables: &[(&str, &str)]) -> Replica {
        let service = mintmark_ratelimit::build(self.config(variables), &context).await.unwrap();
        let addr = service.addr;
        tokio::spawn(service.serve());
        Replica { addr, context }
    }

    /// One that asks this replica.
    pub fn caller(&self, replica: &Replica) -> Ratelimit {
        self.caller_of(replica.addr, FailMode::Closed)
    }

    /// One that asks over TLS, with the certificate of this context.
    pub fn caller_over_tls(&self, replica: &Replica, context: &Context) -> Ratelimit {
        let url = format!("https://{}", replica.addr);
        Ratelimit::new(Target::new(&url, context), self.tokens.clone(), policy(FailMode::Closed)).unwrap()
    }

    pub fn caller_of(&self, addr: SocketAddr, mode: FailMode) -> Ratelimit {
        Ratelimit::new(&format!("http://{addr}"), self.tokens.clone(), policy(mode)).unwrap()
    }
}

fn policy(mode: FailMode) -> LimitPolicy {
    LimitPolicy { mode, budget: Duration::from_secs(2), metric_key_ids: DEFAULT_KEY_IDS }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub fn tenant(slug: &str) -> TenantId {
    TenantId::parse(slug).unwrap()
}

/// A request of cost one by a new key of a tenant.
pub fn request(owner: &str, tier: Tier) -> LimitRequest {
    LimitRequest {
        namespace: NAMESPACE,
        owner: Owner::Tenant(tenant(owner)),
        key: LimitKey::ApiKey(ApiKeyId::new()),
        tier,
        cost: 1,
        passes_uncounted: false,
    }
}

/// How many of so many requests in a row pass.
pub async fn admitted(caller: &Ratelimit, request: &LimitRequest, times: usize) -> usize {
    let mut admitted = 0;
    for _ in 0..times {
        match caller.check(request).await {
            Decision::Allowed(_) => admitted += 1,
            Decision::Limited(_) => {}
            other => panic!("no decision: {other:?}"),
        }
    }
    admitted
}

pub fn allowed(decision: Decision) -> LimitAnswer {
    match decision {
        Decision::Allowed(answer) => answer,
        other => panic!("not allowed: {other:?}"),
    }
}

pub fn limited(decision: Decision) -> LimitAnswer {
    match decision {
        Decision::Limited(answer) => answer,
        other => panic!("not limited: {other:?}"),
    }
}

/// Waits until the replica has found its Redis, without charging anything that a test looks at.
pub async fn ready(caller: &Ratelimit) {
    let probe = LimitRequest { namespace: "probe", ..request("probe", Tier::Enterprise) };
    super::eventually("the limiter decides", || async {
        matches!(caller.check(&probe).await, Decision::Allowed(_))
    })
    .await;
}

/// Plays a scene that has to lie within one window of this length: one that failed across a window's end is played again.
pub async fn in_one_window<F>(window_secs: u64, scene: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let window = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        since.as_secs() / window_secs
    };
    loop {
        let began = window();
        match tokio::spawn(scene()).await {
            Ok(()) => return,
            Err(failed) if window() == began => std::panic::resume_unwind(failed.into_panic()),
            Err(_across_the_end) => {}
        }
    }
}
