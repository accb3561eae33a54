//! The incident of the preflight auth contract (section 3): the control plane passed its own incoming `Authorization` on to
//! the preflight service, which answered 401. Here a sync runs through a recorder, and nothing of the operator's is in what
//! the gateway got; then the old mistake is made on the same wire, and is refused and seen.

use std::net::SocketAddr;
use std::path::Path;

use mintmark_auth::{DEFAULT_ISSUER, Grant, SigningKey, TrustBundle, TrustedKey, audience, control, scope};
use mintmark_devstack::testdb::{self, TestDb};
use mintmark_ids::ServiceName;
use mintmark_service::Context;
use mintmark_service::config::Reader;
use mintmark_tests::recording::{Recorder, Secrets, Transcript};
use mintmark_wire::preflight::v1::ListChangedJobsRequest;
use mintmark_wire::preflight::v1::preflight_service_client::PreflightServiceClient;
use reqwest::{Client, Method};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::credentials::{METADATA, claims};

/// Base64 of 32 times the letter m: good enough for a test's keys.
const KEY: &str = "bW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW0=";
const TENANT: &str = "ppos-production-worker";
const LIST: &str = "/mintmark.preflight.v1.PreflightService/ListChangedJobs";

/// The true control plane and the true gateway in this process, with a recorder between them.
struct Stage {
    control: SocketAddr,
    gateway: Recorder,
    control_token: String,
    http: Client,
    contexts: [Context; 2],
    _folder: tempfile::TempDir,
    _databases: [TestDb; 2],
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.contexts.iter().for_each(|context| context.shutdown.trigger());
    }
}

impl Stage {
    async fn start() -> Self {
        mintmark_service::install_crypto();
        let folder = tempfile::tempdir().unwrap();
        let databases =
            [testdb::database("control-plane").await, testdb::database("preflight-gateway").await];
        let contexts = [Context::for_tests("control-plane"), Context::for_tests("preflight-gateway")];
        write_keys(folder.path());
        let control_token = control::generate().expose_secret().to_owned();
        let behind = start_gateway(&databases[1], folder.path(), &contexts[1]).await;
        let gateway = Recorder::between("control-plane → preflight-gateway", behind).unwrap();
        let url = format!("http://{}", gateway.address());
        let control = start_control(&databases[0], folder.path(), &control_token, &url, &contexts[0]).await;
        let http = Client::builder().no_proxy().build().unwrap();
        Stage { control, gateway, control_token, http, contexts, _folder: folder, _databases: databases }
    }

    async fn send(
        &self,
        call: &str,
        bearer: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> (u16, Value) {
        let (method, path) = call.split_once(' ').unwrap();
        let url = format!("http://{}{path}", self.control);
        let mut request = self.http.request(method.parse::<Method>().unwrap(), url).bearer_auth(bearer);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn made(&self, path: &str, body: Value) -> Value {
        let (status, made) =
            self.send(&format!("POST /api/admin{path}"), &self.control_token, &[], Some(body)).await;
        assert_eq!(status, 201, "{path}: {made:#}");
        made
    }

    /// The old mistake: what came in goes on.
    async fn forward(&self, bearer: &str) -> Result<(), Status> {
        let url = format!("http://{}", self.gateway.address());
        let channel = mintmark_rpc::connect_lazy(&url, &tokio::runtime::Handle::current()).unwrap();
        let mut request = Request::new(ListChangedJobsRequest { limit: 10, ..Default::default() });
        request.metadata_mut().insert("authorization", format!("Bearer {bearer}").parse().unwrap());
        PreflightServiceClient::new(channel).list_changed_jobs(request).await.map(drop)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_hands_nothing_of_the_operators_on_and_the_old_mistake_would_be_seen() {
    let stage = Stage::start().await;
    let (upstream, session) = people(&stage).await;
    let headers = [
        ("x-upstream-token", format!("Bearer {upstream}")),
        ("x-api-key", stage.control_token.clone()),
        ("cookie", format!("session={session}")),
        ("x-forwarded-authorization", format!("Bearer {}", stage.control_token)),
        ("content-type", "application/json".to_owned()),
    ];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (status, synced) =
        stage.send("POST /api/admin/sync/jobs", &stage.control_token, &headers, None).await;
    assert_eq!((status, &synced["tenants"][0]["tenantId"]), (200, &json!(TENANT)), "{synced:#}");
    let all = Some(json!({ "allTenants": true }));
    let (status, swept) = stage.send("POST /api/admin/sync/jobs", &stage.control_token, &[], all).await;
    assert_eq!((status, swept["tenants"].as_array().map(Vec::len)), (200, Some(2)), "{swept:#}");

    let mut secrets = Secrets::new();
    secrets.add("the control token", stage.control_token.as_bytes());
    let random = stage.control_token.trim_start_matches(control::CONTROL_PREFIX);
    secrets.add("the control token (without its prefix)", random.as_bytes());
    secrets.add_jwt("X-Upstream-Token", &upstream);
    secrets.add_jwt("a session", &session);
    let calls = stage.gateway.transcript();
    assert_eq!(found(&calls, &secrets), Vec::<String>::new());
    assert_own_tokens(&calls);

    // The incident itself: the gateway refuses the control token, as it did then …
    let refused = stage.forward(&stage.control_token).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(refused.get_details_error_info().unwrap().reason, "AUTHENTICATION_REQUIRED");
    let leaked = found(&stage.gateway.transcript(), &secrets);
    let place = format!("the control token (as it is) in the request {LIST}, header authorization");
    assert!(leaked.iter().any(|leak| leak.ends_with(&place)), "the canary did not see it: {leaked:#?}");

    // … and a token that it would accept is seen all the same.
    stage.forward(&upstream).await.unwrap();
    let leaked = found(&stage.gateway.transcript(), &secrets);
    let place = format!("X-Upstream-Token (as it is) in the request {LIST}, header authorization");
    assert!(leaked.iter().any(|leak| leak.ends_with(&place)), "the canary did not see it: {leaked:#?}");
}

/// What was found where it must not be; all of it was understood.
fn found(calls: &Transcript, secrets: &Secrets) -> Vec<String> {
    assert_eq!(calls.problems, Vec::<String>::new());
    calls.find(secrets).iter().map(ToString::to_string).collect()
}

/// Each call carries a token that was minted for it alone, and no metadata that nobody has decided to send.
fn assert_own_tokens(calls: &Transcript) {
    let mut tenants = Vec::new();
    let mut ids = std::collections::BTreeSet::new();
    for call in &calls.exchanges {
        assert_eq!(call.path(), LIST);
        let bearer = call.request.header("authorization").unwrap();
        let claims = claims(bearer.strip_prefix("Bearer ").unwrap());
        assert_eq!(claims["iss"], DEFAULT_ISSUER);
        assert_eq!(claims["aud"], "ppos:control");
        assert_eq!(claims["sub"], "service:control-plane");
        assert_eq!(claims["scp"], json!(["jobs:read"]));
        let lifetime = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert!((1..=60).contains(&lifetime), "{claims}");
        assert!(ids.insert(claims["jti"].as_str().unwrap().to_owned()), "a token was used twice: {claims}");
        tenants.push(claims["tenantId"].as_str().unwrap().to_owned());
    }
    tenants.sort_unstable();
    assert_eq!(tenants, ["canary-works", TENANT, TENANT], "each tenant's jobs under a token of its own");
    let unknown: Vec<&str> =
        calls.request_fields().into_iter().filter(|name| !METADATA.contains(name)).collect();
    assert_eq!(unknown, Vec::<&str>::new(), "metadata that nobody decided to send to the gateway");
}

/// Two tenants, and what people hold: an operator's PREFLIGHT_JWT and a session.
async fn people(stage: &Stage) -> (String, String) {
    for tenant in [TENANT, "canary-works"] {
        stage.made("/tenants", json!({ "id": tenant, "name": "Canary Works" })).await;
    }
    let scopes = json!({ "tenantId": TENANT, "scopes": scope::PREFLIGHT });
    let upstream = stage.made("/preflight-tokens", scopes).await;
    let user = json!({ "tenantId": TENANT, "email": "ada@example.com", "name": "Ada", "tenantAdmin": true });
    let user = stage.made("/users", user).await;
    let session = stage.made("/sessions", json!({ "userId": user["id"] })).await;
    let token = |made: &Value| made["token"].as_str().unwrap().to_owned();
    (token(&upstream), token(&session))
}

fn write_keys(folder: &Path) {
    let identity = SigningKey::generate_pem();
    std::fs::write(folder.join("identity.pem"), identity.as_bytes()).unwrap();
    std::fs::write(folder.join("sessions.pem"), SigningKey::generate_pem().as_bytes()).unwrap();
    let key = TrustedKey {
        jwk: SigningKey::from_pem(&identity).unwrap().public_jwk(),
        service: ServiceName::ControlPlane,
        grants: vec![Grant {
            aud: audience::PREFLIGHT.to_owned(),
            scopes: scope::PREFLIGHT.map(str::to_owned).into(),
        }],
    };
    let bundle = TrustBundle::new(DEFAULT_ISSUER, vec![key]).unwrap();
    std::fs::write(folder.join("trust.json"), bundle.to_json()).unwrap();
}

async fn start_gateway(db: &TestDb, folder: &Path, context: &Context) -> SocketAddr {
    let variables = [
        ("PREFLIGHT_HTTP_ADDR", "127.0.0.1:0".to_owned()),
        ("PREFLIGHT_GRPC_ADDR", "127.0.0.1:0".to_owned()),
        ("PREFLIGHT_DATABASE_URL", db.url("preflight_gateway")),
        ("TRUST_BUNDLE_FILE", file(folder, "trust.json")),
        ("RATE_LIMIT_ENABLED", "false".to_owned()),
    ];
    let config = read(variables, mintmark_preflight_gateway::config::GatewayConfig::read);
    let service = mintmark_preflight_gateway::gateway::build(config, context).await.unwrap();
    let addr = service.grpc_addr;
    tokio::spawn(async move { service.serve().await.unwrap() });
    addr
}

async fn start_control(
    db: &TestDb,
    folder: &Path,
    control_token: &str,
    gateway: &str,
    context: &Context,
) -> SocketAddr {
    let variables = [
        ("CONTROL_HTTP_ADDR", "127.0.0.1:0".to_owned()),
        ("CONTROL_GRPC_ADDR", "127.0.0.1:0".to_owned()),
        ("CONTROL_DATABASE_URL", db.url("control_app")),
        ("PPOS_CONTROL_TOKEN", control_token.to_owned()),
        ("CONTROL_SIGNING_KEY_FILE", file(folder, "identity.pem")),
        ("SESSION_SIGNING_KEY_FILE", file(folder, "sessions.pem")),
        ("TRUST_BUNDLE_FILE", file(folder, "trust.json")),
        ("PREFLIGHT_GATEWAY_GRPC_URL", gateway.to_owned()),
        ("CODE_MASTER_KEY", KEY.to_owned()),
        ("CODE_BASE_URL", "https://id.example".to_owned()),
        ("RATE_LIMIT_ENABLED", "false".to_owned()),
        ("EXPORT_STORE_URL", format!("file://{}", file(folder, "objects"))),
        ("EXPORT_URL_SIGNING_KEY", KEY.to_owned()),
        ("JOB_WORKERS", "0".to_owned()),
    ];
    let config = read(variables, mintmark_control_plane::Config::read);
    let service = mintmark_control_plane::build(config, context).await.unwrap();
    let addr = service.http_addr;
    tokio::spawn(async move { service.run().await.unwrap() });
    addr
}

fn file(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

/// A configuration as the program itself reads it.
fn read<T, const N: usize>(
    variables: [(&str, String); N],
    parse: impl FnOnce(&mut Reader) -> Option<T>,
) -> T {
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value));
    let mut reader = Reader::from_pairs(variables.chain([("APP_ENV".to_owned(), "test".to_owned())]));
    let config = parse(&mut reader);
    reader.finish(config).unwrap_or_else(|errors| panic!("{errors}"))
}
