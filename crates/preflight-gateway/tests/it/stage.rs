//! A gateway of its own with a bucket in a folder, workers, and tokens for whoever asks.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mintmark_auth::{
    DEFAULT_ISSUER, Grant, ServiceToken, SigningKey, TokenSource, TrustBundle, TrustedKey, audience, scope,
};
use mintmark_devstack::testdb::{self, TestDb};
use mintmark_ids::{ServiceName, TenantId};
use mintmark_preflight_gateway::config::{GatewayConfig, WorkerConfig};
use mintmark_preflight_gateway::{gateway, worker};
use mintmark_rpc::client::Preflight;
use mintmark_service::Context;
use mintmark_service::config::Reader;
use reqwest::{Client, Method, header::HeaderMap};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// The tenant whose files are in the bucket.
pub const TENANT: &str = "ppos-production-worker";
/// Another one, which has a prefix of its own.
pub const OTHER: &str = "globex";
/// A file that is there from the start.
pub const TARGET: &str = "s3://ppos-storage/incoming/validate.pdf";

pub struct Stage {
    pub base: String,
    pub grpc: String,
    pub db: TestDb,
    pub folder: TempDir,
    pub tokens: TokenSource,
    pub context: Context,
    client: Client,
    variables: Vec<(String, String)>,
}

pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Reply {
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    /// The code of the problem document.
    #[track_caller]
    pub fn problem(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{:#}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        self.body["code"].as_str().unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.context.shutdown.trigger();
    }
}

/// The program beside the gateway's.
pub fn program(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_preflight-gateway")).with_file_name(name)
}

pub fn tenant(slug: &str) -> TenantId {
    TenantId::parse(slug).unwrap()
}

impl Stage {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// One with further variables, which win over the usual ones.
    pub async fn start_with(further: &[(&str, &str)]) -> Self {
        let (db, folder) = (testdb::database("preflight-gateway").await, tempfile::tempdir().unwrap());
        let key = SigningKey::from_pem(&SigningKey::generate_pem()).unwrap();
        let grants =
            [(audience::PREFLIGHT, &scope::PREFLIGHT[..]), (audience::RATELIMIT, &[scope::RATELIMIT_CHECK])]
                .map(|(aud, scopes)| Grant {
                    aud: aud.to_owned(),
                    scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
                })
                .to_vec();
        let trusted = TrustedKey { jwk: key.public_jwk(), service: ServiceName::ControlPlane, grants };
        let trust = folder.path().join("trust.json");
        std::fs::write(&trust, TrustBundle::new(DEFAULT_ISSUER, vec![trusted]).unwrap().to_json()).unwrap();
        let bucket = folder.path().join("bucket");
        for place in ["incoming", OTHER] {
            std::fs::create_dir_all(bucket.join(place)).unwrap();
        }
        std::fs::write(bucket.join("incoming/validate.pdf"), super::documents::tiny("0 0 m")).unwrap();
        let buckets = json!({ "ppos-storage": {
            "store": format!("file://{}", bucket.display()),
            "tenants": { TENANT: ["incoming/"], OTHER: ["globex/"] } } });
        let mut variables: Vec<(String, String)> = [
            ("APP_ENV", "test".to_owned()),
            ("PREFLIGHT_HTTP_ADDR", "127.0.0.1:0".to_owned()),
            ("PREFLIGHT_GRPC_ADDR", "127.0.0.1:0".to_owned()),
            ("PREFLIGHT_DATABASE_URL", db.url("preflight_gateway")),
            ("PREFLIGHT_WORKER_DATABASE_URL", db.url("preflight_worker")),
            ("TRUST_BUNDLE_FILE", trust.to_str().unwrap().to_owned()),
            ("PREFLIGHT_BUCKETS", buckets.to_string()),
            ("PREFLIGHT_ENGINE", program("preflight-engine").to_str().unwrap().to_owned()),
            ("RATE_LIMIT_ENABLED", "false".to_owned()),
            ("JOB_LEASE_SECS", "3".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        variables.extend(further.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut reader = Reader::from_pairs(variables.clone());
        let config = GatewayConfig::read(&mut reader);
        let config = reader.finish(config).unwrap_or_else(|errors| panic!("{errors}"));
        let context = Context::for_tests("preflight-gateway");
        let service = gateway::build(config, &context).await.unwrap();
        let (base, grpc) = (format!("http://{}", service.http_addr), format!("http://{}", service.grpc_addr));
        context.home.spawn(async move { service.serve().await.unwrap() });
        let tokens = TokenSource::new(ServiceName::ControlPlane, key, DEFAULT_ISSUER);
        let client = Client::builder().no_proxy().build().unwrap();
        Self { base, grpc, db, folder, tokens, context, client, variables }
    }

    /// The variables of this stage's processes.
    pub fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// A worker in this process, until the stage ends.
    pub async fn work(&self) {
        self.work_with(&[]).await;
    }

    pub async fn work_with(&self, further: &[(&str, &str)]) {
        let further = further.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut reader = Reader::from_pairs(self.variables.iter().cloned().chain(further));
        let config = WorkerConfig::read(&mut reader);
        let config = reader.finish(config).unwrap_or_else(|errors| panic!("{errors}"));
        let context =
            Context { shutdown: self.context.shutdown.clone(), ..Context::for_tests("preflight-worker") };
        let worker = worker::build(config, &context).await.unwrap();
        self.context.home.spawn(async move { worker.serve().await.unwrap() });
    }

    pub fn token(&self, tenant_id: &str, scopes: &[&'static str]) -> ServiceToken {
        self.tokens.for_tenant(audience::PREFLIGHT, &tenant(tenant_id), scopes)
    }

    /// A token of the usual tenant with all five scopes.
    pub fn all(&self) -> String {
        self.token(TENANT, &scope::PREFLIGHT).expose().to_owned()
    }

    pub fn rpc(&self) -> Preflight {
        Preflight::new(&self.grpc).unwrap()
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        bearer: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Reply {
        let method: Method = method.parse().unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        let body =
            serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes)));
        Reply { status, headers, body }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, Some(&self.all()), &[], None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, Some(&self.all()), &[], Some(&body)).await
    }

    /// Creates a job for a file of the bucket.
    pub async fn create(&self, job: &str, target: &str) -> Value {
        let body = json!({ "jobId": job, "targetFile": target });
        self.post("/api/preflight/jobs", body).await.expect(201)
    }

    /// Puts a file where the usual tenant may name it; its name in a job.
    pub fn put(&self, name: &str, content: &[u8]) -> String {
        std::fs::write(self.folder.path().join("bucket/incoming").join(name), content).unwrap();
        format!("s3://ppos-storage/incoming/{name}")
    }

    /// The job once it is in one of these states.
    pub async fn until(&self, job: &str, states: &[&str]) -> Value {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let found = self.get(&format!("/api/preflight/jobs/{job}")).await.expect(200);
            if states.contains(&found["state"].as_str().unwrap()) {
                return found;
            }
            assert!(Instant::now() < deadline, "{job} is not {states:?}: {found:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A connection of the superuser's, to look behind the service's back.
    pub async fn sql(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.db.superuser_url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}
