//! What an API key and its limit cost: the same handler, which reads one row by its primary key, mounted twice on one edge
//! in this process, with and without both.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::Data;
use mintmark_auth::{
    ApiScope, ControlToken, DEFAULT_ISSUER, Grant, IssuedKey, KeyEnvironment, SessionVerifier, SigningKey,
    TokenSource, TrustBundle, TrustedKey, audience, scope,
};
use mintmark_control_plane::http::authenticate::Gate;
use mintmark_control_plane::http::limits::Counted;
use mintmark_control_plane::store::scopes;
use mintmark_db::{DbConfig, Pool};
use mintmark_devstack::redis::RedisServer;
use mintmark_devstack::{Process, free_port};
use mintmark_ids::{BrandId, ServiceName, TenantId, UserId};
use mintmark_rpc::client::{LimitPolicy, Ratelimit};
use mintmark_service::Context;
use mintmark_service::limit::{DEFAULT_KEY_IDS, FailMode, Unverified};
use mintmark_tests::program;
use mintmark_web::{Access, Answer, Edge, Limit, Limits, Route, ok};
use serde_json::json;

use crate::report::{Better, Report, alternate};
use crate::stage::{CONTROL, Stage};
use crate::{Result, block_on};

/// As many as `ratelimit` has.
const CONNECTIONS: usize = 50;
/// So few that little goes together, and processors wait for answers.
const FEW: usize = 16;
const LASTING: Duration = Duration::from_secs(4);
/// Nobody may be refused.
const CEILING: &str = "1000000000";
const MINUTE: Duration = Duration::from_secs(60);
const TENANT: &str = "bench";
const KEYED: &str = "/keyed";
const BARE: &str = "/bare";

/// The row that both handlers read.
struct Wanted {
    tenant: TenantId,
    brand: BrandId,
}

/// Everything that must live as long as the edge answers.
struct Bench {
    addr: SocketAddr,
    keys: Vec<IssuedKey>,
    context: Context,
    _limiter: Process,
    _redis: RedisServer,
    _stage: Stage,
}

/// Requests a second with a key and a limit, as a share of those with neither: among many callers, and among few.
pub fn apikey(report: &mut Report) -> Result {
    block_on(async {
        let mut bench = Bench::start(report).await?;
        bench.ready().await?;
        for (figure, connections) in [("apikey", CONNECTIONS), ("apikey-few", FEW)] {
            report.note(&format!(
                "{connections} connections, one request under way on each; every answer is 200"
            ));
            // A round that nobody counts warms connections and caches.
            bench.keyed(connections)?;
            bench.bare(connections)?;
            let keyed = async |bench: &mut Bench| bench.keyed(connections);
            let rounds = alternate(&mut bench, keyed, async |bench| bench.bare(connections)).await?;
            report.figure(figure, "requests/s", Better::More, &rounds)?;
        }
        bench.context.shutdown.trigger();
        Ok(())
    })
}

impl Bench {
    async fn start(report: &Report) -> Result<Self> {
        let stage = Stage::open(report).await?;
        let redis = RedisServer::start(&[]).await?;
        let identity = SigningKey::from_pem(&SigningKey::generate_pem())?;
        let (limiter, url) = start_limiter(&stage, &redis, &identity).await?;
        let (tenant, brand) = (TenantId::parse(TENANT)?, BrandId::new());
        // One for each connection: what is asked for one of them answers no other.
        let keys: Vec<IssuedKey> =
            (0..CONNECTIONS).map(|_| IssuedKey::generate(KeyEnvironment::Live)).collect();
        fill(&stage, brand, &keys).await?;

        let context = Context::for_tests("bench");
        let pool = Pool::new(&DbConfig::new(stage.postgres_url("control_app", CONTROL)), &context.home)?;
        let control = ControlToken::parse(&stage.secrets.control_token)?;
        let sessions =
            SessionVerifier::new(SigningKey::from_pem(&SigningKey::generate_pem())?, DEFAULT_ISSUER);
        let gate = Gate::new(pool.clone(), &context.home, control, sessions, KeyEnvironment::Live);
        let tokens = TokenSource::new(ServiceName::ControlPlane, identity, DEFAULT_ISSUER);
        let policy = LimitPolicy { mode: FailMode::Closed, budget: MINUTE, metric_key_ids: DEFAULT_KEY_IDS };
        let limiting = Limits {
            limiter: Arc::new(Counted(Ratelimit::new(&url, tokens, policy)?)),
            unverified: Unverified::new(1, MINUTE),
            trusted_proxies: Vec::new(),
        };
        let routes = vec![
            Route::get(KEYED, Access::SessionOrKey, read),
            Route::get(BARE, Access::Public, read).limit(Limit::Exempt),
        ];
        let running = Edge::new("bench", routes)
            .authenticate(Arc::new(gate))
            .limits(limiting)
            .data(pool)
            .data(Wanted { tenant, brand })
            .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), &context)
            .await?;
        let addr = running.addr;
        tokio::spawn(running.serve(context.shutdown.clone()));
        Ok(Self { addr, keys, context, _limiter: limiter, _redis: redis, _stage: stage })
    }

    /// Waits until the limiter has found its Redis: it is ready before that, and refuses.
    async fn ready(&self) -> Result {
        let deadline = Instant::now() + Duration::from_secs(30);
        let client = reqwest::Client::new();
        loop {
            let request = client.get(format!("http://{}{KEYED}", self.addr));
            let status = request.header("X-API-Key", self.keys[0].expose()).send().await?.status();
            if status == reqwest::StatusCode::OK {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("the edge answers {status}").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn keyed(&self, connections: usize) -> Result<f64> {
        let request = |key: &IssuedKey| {
            format!("GET {KEYED} HTTP/1.1\r\nHost: bench\r\nX-API-Key: {}\r\n\r\n", key.expose())
        };
        let requests: Vec<String> = self.keys.iter().take(connections).map(request).collect();
        load(self.addr, &requests, "\r\nratelimit: ")
    }

    fn bare(&self, connections: usize) -> Result<f64> {
        let request = format!("GET {BARE} HTTP/1.1\r\nHost: bench\r\n\r\n");
        load(self.addr, &vec![request; connections], "\r\n")
    }
}

async fn read(pool: Data<Pool>, wanted: Data<Wanted>) -> Answer {
    let mut conn = pool.get().await?;
    let found = scopes::of_brand(&mut conn, &wanted.tenant, wanted.brand).await?;
    Ok(ok(&json!({ "brand": found.brand })))
}

async fn start_limiter(
    stage: &Stage,
    redis: &RedisServer,
    identity: &SigningKey,
) -> Result<(Process, String)> {
    let grants =
        vec![Grant { aud: audience::RATELIMIT.to_owned(), scopes: vec![scope::RATELIMIT_CHECK.to_owned()] }];
    let trusted = TrustedKey { jwk: identity.public_jwk(), service: ServiceName::ControlPlane, grants };
    let bundle = stage.folder().join("limiter-trust.json");
    std::fs::write(&bundle, TrustBundle::new(DEFAULT_ISSUER, vec![trusted])?.to_json())?;
    let (address, ops) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
    let environment = [
        ("RATELIMIT_GRPC_ADDR", address.clone()),
        ("OPS_ADDR", ops.clone()),
        ("RATE_LIMIT_REDIS_URL", redis.url()),
        ("RATE_LIMIT_MAX_ENTERPRISE", CEILING.to_owned()),
        // Everything shares two cores, and one refusal would end the run; what is slow shows in the figure.
        ("RATE_LIMIT_REDIS_BUDGET_MS", "1000".to_owned()),
        ("TRUST_BUNDLE_FILE", bundle.display().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let log = stage.folder().join("ratelimit.log");
    let mut process = Process::spawn(&program("ratelimit"), &[], &environment, &log)?;
    process.wait_ready(&format!("http://{ops}/readyz"), Duration::from_secs(30)).await?;
    Ok((process, format!("http://{address}")))
}

/// A tenant of tier enterprise with an administrator, a brand, and the keys.
async fn fill(stage: &Stage, brand: BrandId, keys: &[IssuedKey]) -> Result {
    let client = stage.sql(CONTROL).await?;
    let (user, brand) = (UserId::new().as_uuid(), brand.as_uuid());
    let row = |key: &IssuedKey| {
        let digest: String = key.digest().iter().map(|byte| format!("{byte:02x}")).collect();
        let (id, scope) = (key.id().as_uuid(), ApiScope::AdminRead);
        format!(
            "('{id}', '{TENANT}', '{user}', 'Bench', 'live', '\\x{digest}', ARRAY['{scope}'], 'enterprise')"
        )
    };
    let rows: Vec<String> = keys.iter().map(row).collect();
    client
        .batch_execute(&format!(
            "INSERT INTO tenant (id, listing_id, name, tier) VALUES ('{TENANT}', '{user}', 'Bench', 'enterprise');
             INSERT INTO app_user (id, tenant_id, email, name, tenant_admin)
             VALUES ('{user}', '{TENANT}', 'bench@example.com', 'Bench', true);
             INSERT INTO brand (id, tenant_id, name) VALUES ('{brand}', '{TENANT}', 'Bench');
             INSERT INTO api_key (id, tenant_id, creator_id, name, environment, digest, scopes, tier)
             VALUES {};
             ANALYZE",
            rows.join(", "),
        ))
        .await?;
    Ok(())
}

/// Requests a second, each connection with its own, for so long; an answer that is not 200, or lacks `wanted` in its
/// head, ends the run.
fn load(addr: SocketAddr, requests: &[String], wanted: &str) -> Result<f64> {
    let started = Instant::now();
    let counts: Result<Vec<u64>> = std::thread::scope(|scope| {
        let running: Vec<_> = requests
            .iter()
            .map(|request| scope.spawn(move || drive(addr, request, wanted, started + LASTING)))
            .collect();
        running.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?).collect()
    });
    Ok(counts?.into_iter().sum::<u64>() as f64 / started.elapsed().as_secs_f64())
}

fn drive(addr: SocketAddr, request: &str, wanted: &str, until: Instant) -> Result<u64> {
    let mut socket = TcpStream::connect(addr)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let (mut buffer, mut answered) = ([0; 4096], 0);
    while Instant::now() < until {
        socket.write_all(request.as_bytes())?;
        let mut filled = 0;
        loop {
            let read = socket.read(&mut buffer[filled..])?;
            if read == 0 {
                return Err("the edge closed a connection".into());
            }
            filled += read;
            // The answers are small and never chunked: the head says how long the body is.
            let text = std::str::from_utf8(&buffer[..filled])?;
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() < length.ok_or("an answer without a length")?.parse::<usize>()? {
                continue;
            }
            if !head.starts_with("HTTP/1.1 200") || !head.contains(wanted) {
                return Err(format!("an answer that does not count: {head}").into());
            }
            break;
        }
        answered += 1;
    }
    Ok(answered)
}
