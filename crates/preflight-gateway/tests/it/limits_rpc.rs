//! Limits over gRPC, with the true rate limiter and a true Redis: both doors of the gateway share one budget.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::join_all;
use mintmark_auth::action::{IssuePreflightToken, SyncPreflightJobs};
use mintmark_auth::{
    BrandRole, ControlToken, DEFAULT_ISSUER, Grant, OnTenant, PreflightGrant, PreflightScopes, Principal,
    Session, SessionMinter, SessionVerifier, SigningKey, Standing, Tier, TrustBundle, TrustedKey, audience,
    authorize, scope,
};
use mintmark_devstack::redis::RedisServer;
use mintmark_devstack::{Process, free_port};
use mintmark_fault::Kind;
use mintmark_ids::{BrandId, ServiceName, UserId};
use mintmark_preflight_gateway::grpc::PreflightRpc;
use mintmark_rpc::{Channel, connect_lazy, fault_of};
use mintmark_service::telemetry::metrics_text;
use mintmark_wire::preflight::v1::preflight_service_client::PreflightServiceClient;
use mintmark_wire::preflight::v1::{GetJobRequest, ListChangedJobsRequest, ListPoliciesRequest};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tonic::{Code, Request, Status};

use crate::limits::own_key;
use crate::stage::{Stage, TENANT, program, tenant};

/// Requests of a tenant of tier pro in one window.
const PRO: usize = 12;
/// Those of nobody.
const FREE: usize = 5;

/// The length in seconds of a window that no test sees end: windows begin at multiples of their length.
fn window_secs() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    [86_400, 70_001, 50_021].into_iter().find(|length| length - now % length >= 240).unwrap()
}

/// A limited gateway, its limiter and Redis.
struct Limited {
    stage: Stage,
    redis: RedisServer,
    ops: String,
    _limiter: Process,
    _folder: TempDir,
}

impl Limited {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = own_key(folder.path());
        let redis = RedisServer::start(&[]).await.unwrap();
        let (address, ops) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
        let (window, pro, free) = (window_secs().to_string(), PRO.to_string(), FREE.to_string());
        let common = [
            ("APP_ENV", "test"),
            ("RATE_LIMIT_FAIL_OPEN", "false"),
            ("RATE_LIMIT_WINDOW_SEC", &window),
            ("RATE_LIMIT_MAX_FREE", &free),
        ];
        let (bundle, redis_url) = (trust_bundle(folder.path(), &key), redis.url());
        let own = [
            ("RATELIMIT_GRPC_ADDR", address.as_str()),
            ("OPS_ADDR", &ops),
            ("TRUST_BUNDLE_FILE", &bundle),
            ("RATE_LIMIT_REDIS_URL", &redis_url),
            ("RATE_LIMIT_MAX_PRO", &pro),
            // A test is no place to find out how fast a busy machine is.
            ("RATE_LIMIT_REDIS_BUDGET_MS", "1000"),
        ];
        let environment: Vec<(String, String)> = own
            .iter()
            .chain(&common)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let log = folder.path().join("ratelimit.log");
        let mut limiter = Process::spawn(&program("ratelimit"), &[], &environment, &log).unwrap();
        limiter.wait_ready(&format!("http://{ops}/readyz"), Duration::from_secs(60)).await.unwrap();
        let url = format!("http://{address}");
        let own = [
            ("RATE_LIMIT_ENABLED", "true"),
            ("RATELIMIT_GRPC_URL", url.as_str()),
            ("RATE_LIMIT_BUDGET_MS", "5000"),
            ("PREFLIGHT_SIGNING_KEY_FILE", &key),
            ("PREFLIGHT_TRUSTED_PROXIES", "127.0.0.1"),
        ];
        let variables: Vec<(&str, &str)> = own.iter().chain(&common).copied().collect();
        let stage = Stage::start_with(&variables).await;
        Self { stage, redis, ops, _limiter: limiter, _folder: folder }
    }

    /// What the limiter has counted as rejected under these labels.
    async fn rejected(&self, labels: &str) -> usize {
        let text = reqwest::get(format!("http://{}/metrics", self.ops)).await.unwrap().text().await.unwrap();
        counted(&text, labels)
    }
}

fn counted(metrics: &str, labels: &str) -> usize {
    let line = format!("rate_limit_rejected_total{{{labels}}} ");
    metrics.lines().find_map(|found| found.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
}

/// What the limiter trusts: the gateway.
fn trust_bundle(folder: &Path, key: &str) -> String {
    let jwk = SigningKey::from_pem(&std::fs::read_to_string(key).unwrap()).unwrap().public_jwk();
    let scopes = vec![scope::RATELIMIT_CHECK.to_owned()];
    let grants = vec![Grant { aud: audience::RATELIMIT.to_owned(), scopes }];
    let trusted = TrustedKey { jwk, service: ServiceName::PreflightGateway, grants };
    let path = folder.join("limiter-trust.json");
    std::fs::write(&path, TrustBundle::new(DEFAULT_ISSUER, vec![trusted]).unwrap().to_json()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn operator() -> Principal {
    let text = format!("mmct_{}", "A".repeat(43));
    Principal::Control(ControlToken::parse(&text).unwrap().verify(&text).unwrap())
}

fn read() -> PreflightScopes {
    PreflightScopes::parse(&[scope::PREFLIGHT_READ, scope::JOBS_READ]).unwrap()
}

/// What a person may have, at the tier of their tenant: a new person each time.
fn person() -> PreflightGrant {
    let (pem, minute) = (SigningKey::generate_pem(), Duration::from_secs(60));
    let key = || SigningKey::from_pem(&pem).unwrap();
    let verifier = SessionVerifier::new(key(), DEFAULT_ISSUER);
    let minted =
        SessionMinter::new(key(), DEFAULT_ISSUER, minute).mint(UserId::new(), &tenant(TENANT), minute);
    let standing = Standing { brands: vec![(BrandId::new(), BrandRole::Member)], ..Standing::default() };
    let session = Session::new(verifier.verify(minted.expose()).unwrap(), standing, Tier::Pro);
    PreflightGrant::for_person(&session, None, read()).unwrap()
}

/// A token as a person gets it.
fn persons(stage: &Stage) -> String {
    stage.tokens.preflight(&person(), Tier::Pro).expose().to_owned()
}

/// A token that the operator had made in the control plane's name, and gave to a program.
fn operators(stage: &Stage) -> String {
    let permit = authorize::<IssuePreflightToken>(&operator(), OnTenant(tenant(TENANT))).unwrap();
    stage.tokens.preflight(&PreflightGrant::for_operator(&permit, read()), Tier::Pro).expose().to_owned()
}

/// A token that the control plane made for a call of its own.
fn syncs(stage: &Stage) -> String {
    let permit = authorize::<SyncPreflightJobs>(&operator(), OnTenant(tenant(TENANT))).unwrap();
    let grant = PreflightGrant::for_sync(&permit, None).unwrap();
    stage.tokens.preflight_call(&grant, Tier::Pro).expose().to_owned()
}

/// Calls of the gateway with whatever token, from whatever network.
#[derive(Clone)]
struct Rpc(PreflightServiceClient<Channel>);

impl Rpc {
    fn new(stage: &Stage) -> Self {
        Self(PreflightServiceClient::new(connect_lazy(&stage.grpc, &Handle::current()).unwrap()))
    }

    /// Asks for a job that there is not: NOT_FOUND for whoever gets so far.
    async fn job(&self, bearer: Option<&str>, from: &str) -> Status {
        let request = with(GetJobRequest { job_id: "none".to_owned() }, bearer, from);
        self.0.clone().get_job(request).await.unwrap_err()
    }

    async fn changed(&self, bearer: &str) -> Result<(), Status> {
        let request = ListChangedJobsRequest { cursor: 0, limit: 10, ..Default::default() };
        self.0.clone().list_changed_jobs(with(request, Some(bearer), "192.0.2.1")).await.map(drop)
    }
}

fn with<T>(message: T, bearer: Option<&str>, from: &str) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(bearer) = bearer {
        request.metadata_mut().insert("authorization", format!("Bearer {bearer}").parse().unwrap());
    }
    request.metadata_mut().insert("x-forwarded-for", from.parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_limit_passes_through_both_doors_and_our_own_sync_beside_it() {
    let limited = Limited::start().await;
    let (stage, rpc) = (&limited.stage, Rpc::new(&limited.stage));
    for _ in 0..PRO + 3 {
        rpc.changed(&syncs(stage)).await.unwrap();
    }
    assert_eq!(limited.redis.ask(&["DBSIZE"]).await.unwrap(), ":0", "work of our own is charged to nobody");

    let token = persons(stage);
    for remaining in ["11", "10", "9"] {
        let reply = stage.send("GET", "/api/preflight/jobs/none", Some(&token), &[], None).await;
        let left = reply.headers["ratelimit"].to_str().unwrap();
        assert!(left.starts_with(&format!("\"tenant\";r={remaining};")), "{left}");
        assert_eq!(reply.problem(404), "NOT_FOUND");
    }
    let calls = join_all((0..30).map(|_| rpc.job(Some(&token), "192.0.2.1"))).await;
    let passed = calls.iter().filter(|status| status.code() == Code::NotFound).count();
    let refused: Vec<&Status> = calls.iter().filter(|it| it.code() == Code::ResourceExhausted).collect();
    assert_eq!((passed, refused.len()), (PRO - 3, 30 - (PRO - 3)), "of 30");
    for status in refused {
        let fault = fault_of(status);
        assert_eq!((fault.kind(), fault.code()), (Kind::RateLimited, "RATE_LIMITED"));
        assert_eq!(fault.members()["reason"], "key_limit");
        assert_eq!(fault.members()["violated-policies"], json!(["tenant", "key"]));
        let after = fault.retry_delay().unwrap();
        assert!(after > Duration::from_secs(120), "RetryInfo is not before the window ends: {after:?}");
    }
    let labels = r#"key_id="none",reason="key_limit",tier="pro""#;
    assert_eq!(limited.rejected(labels).await, 30 - (PRO - 3), "each rejection once");

    let reply = stage.send("GET", "/api/preflight/jobs/none", Some(&token), &[], None).await;
    assert_eq!(reply.problem(429), "RATE_LIMITED");
    // Whoever is of the tenant, and whatever they ask for, has no more; what the control plane does for itself goes on.
    let colleague = rpc.job(Some(&persons(stage)), "192.0.2.1").await;
    assert_eq!(fault_of(&colleague).members()["reason"], "tenant_limit");
    // As the console calls, for somebody whose token is about to end.
    let looked = stage.tokens.preflight_call(&person(), Tier::Pro);
    let fault = stage.rpc().list_policies(&looked, ListPoliciesRequest {}).await.unwrap_err();
    assert_eq!((fault.kind(), fault.retry_delay().is_some()), (Kind::RateLimited, true), "{fault}");
    let program = rpc.changed(&operators(stage)).await.unwrap_err();
    assert_eq!(program.code(), Code::ResourceExhausted, "a token that was given away is a client's");
    assert_eq!(rpc.job(Some(&syncs(stage)), "192.0.2.1").await.code(), Code::ResourceExhausted);
    rpc.changed(&syncs(stage)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn random_tokens_of_one_network_have_one_budget_at_both_doors() {
    let limited = Limited::start().await;
    let (stage, rpc) = (&limited.stage, Rpc::new(&limited.stage));
    let mut codes = Vec::new();
    for number in 0..FREE + 5 {
        let status = rpc.job(Some(&format!("random-{number}")), &format!("203.0.113.{number}")).await;
        codes.push(status.code());
    }
    assert_eq!(codes[..FREE], [Code::Unauthenticated; FREE]);
    assert_eq!(codes[FREE..], [Code::ResourceExhausted; 5]);
    assert_eq!(limited.redis.ask(&["DBSIZE"]).await.unwrap(), format!(":{}", 2 * FREE), "two for each");
    let guess = |from| {
        let headers = [("x-forwarded-for", from)];
        async move { stage.send("GET", "/api/preflight/jobs", Some("another"), &headers, None).await.status }
    };
    assert_eq!(guess("203.0.113.99").await, 429, "the budget is the network's, at whichever door");
    assert_eq!(guess("198.51.100.1").await, 401);
    // Who verifies is not concerned; without a token the network itself is charged.
    let neighbour = "203.0.113.77:51324";
    assert_eq!(rpc.job(Some(&persons(stage)), neighbour).await.code(), Code::NotFound);
    for _ in 0..FREE {
        assert_eq!(rpc.job(None, neighbour).await.code(), Code::Unauthenticated);
    }
    assert_eq!(rpc.job(None, neighbour).await.code(), Code::ResourceExhausted);
}

/// A gateway whose limiter is not there.
async fn alone(fail_open: &str) -> (Stage, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let key = own_key(folder.path());
    let variables = [
        ("RATE_LIMIT_ENABLED", "true"),
        ("RATE_LIMIT_FAIL_OPEN", fail_open),
        ("RATELIMIT_GRPC_URL", "http://127.0.0.1:1"),
        ("PREFLIGHT_SIGNING_KEY_FILE", key.as_str()),
    ];
    (Stage::start_with(&variables).await, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_is_refused_while_nobody_can_count_it_but_our_own_sync() {
    let (stage, _folder) = alone("false").await;
    let token = stage.all();
    let channel = connect_lazy(&stage.grpc, &Handle::current()).unwrap();
    for method in PreflightRpc::METHODS {
        let mut grpc = tonic::client::Grpc::new(channel.clone());
        grpc.ready().await.unwrap();
        let path = method.path.parse().unwrap();
        // What no method would accept: it is refused unread.
        let message =
            with(GetJobRequest { job_id: "no job's name".repeat(9_000) }, Some(&token), "192.0.2.1");
        let codec = tonic_prost::ProstCodec::<GetJobRequest, GetJobRequest>::default();
        let called = grpc.unary(message, path, codec).await;
        if PreflightRpc::OWN_WORK.contains(&method.path) {
            assert_ne!(called.unwrap_err().code(), Code::Unavailable, "{}", method.path);
            continue;
        }
        let fault = fault_of(&called.unwrap_err());
        let expected = (Kind::Unavailable, "RATE_LIMIT_UNAVAILABLE", Some(Duration::from_secs(1)));
        assert_eq!((fault.kind(), fault.code(), fault.retry_delay()), expected, "{}", method.path);
    }
    let rpc = Rpc::new(&stage);
    rpc.changed(&syncs(&stage)).await.unwrap();
    assert_eq!(rpc.changed(&operators(&stage)).await.unwrap_err().code(), Code::Unavailable);
    assert!(counted(&metrics_text(), r#"key_id="none",reason="redis_unavailable",tier="pro""#) >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn open_mode_lets_calls_pass_that_nobody_counts() {
    let (stage, _folder) = alone("true").await;
    let (rpc, token) = (Rpc::new(&stage), persons(&stage));
    for _ in 0..3 {
        assert_eq!(rpc.job(Some(&token), "192.0.2.1").await.code(), Code::NotFound);
        assert_eq!(rpc.job(Some("guess"), "192.0.2.1").await.code(), Code::Unauthenticated);
    }
    assert!(metrics_text().contains(r#"rate_limit_passed_open_total{tier="pro"}"#));
}
