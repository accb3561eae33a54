//! A real Envoy, and a real upstream behind it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mintmark_auth::envoy::{self, IssuedEnvoyCredential};
use mintmark_devstack::{Process, free_port, tools};
use mintmark_service::Context;
use mintmark_service::tls::TlsFiles;
use reqwest::Response;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::certificates::Issued;
use crate::stage::{Replica, Stage};

/// Three requests an hour for each caller; two things are only watched; free tenants have the limits of the service.
pub const RULES: &str = r#"{"domains": {"edge": {"namespace": "edge", "rules": [
    {"name": "caller", "entries": [{"key": "caller"}], "unit": "hour", "requests_per_unit": 3},
    {"name": "watched", "entries": [{"key": "watched"}], "unit": "hour", "requests_per_unit": 1, "shadow_mode": true},
    {"name": "own", "tier": {"owner": "tenant_id", "key": "key_id", "tier": "free"}}]}}}"#;

/// A replica that answers Envoys, its file of rules, and a credential for `edge` and `idle`.
pub struct Limited {
    pub replica: Replica,
    pub stage: Stage,
    pub issued: IssuedEnvoyCredential,
    folder: TempDir,
}

impl Limited {
    /// With five free requests an hour; `idle` is a domain that no rule speaks of.
    pub async fn start(redis: &str, more: &[(&str, &str)]) -> Self {
        Self::start_in(Stage::new(), Context::for_tests("ratelimit"), redis, more).await
    }

    /// The same on a stage that is prepared, with the certificate of this context.
    pub async fn start_in(stage: Stage, context: Context, redis: &str, more: &[(&str, &str)]) -> Self {
        let (issued, folder) = (envoy::generate(), tempfile::tempdir().unwrap());
        let (other, file) = (envoy::generate(), folder.path().join("rules.json"));
        std::fs::write(&file, RULES).unwrap();
        let credentials =
            format!("edge={},{};idle={};other={}", other.sha256, issued.sha256, issued.sha256, other.sha256);
        let mut variables = vec![
            ("RATE_LIMIT_REDIS_URL", redis),
            // Whether an answer comes is what the tests ask, not how soon.
            ("RATE_LIMIT_REDIS_BUDGET_MS", "500"),
            ("RATE_LIMIT_WINDOW_SEC", "3600"),
            ("RATE_LIMIT_MAX_FREE", "5"),
            ("RATE_LIMIT_ENVOY_FILE", file.to_str().unwrap()),
            ("RATE_LIMIT_ENVOY_CREDENTIALS", &credentials),
        ];
        variables.extend_from_slice(more);
        let replica = stage.replica_in(context, &variables).await;
        Self { replica, stage, issued, folder }
    }

    pub fn credential(&self) -> &str {
        self.issued.credential.expose_secret()
    }

    /// Puts other rules into the file.
    pub fn write_rules(&self, text: &str) {
        std::fs::write(self.folder.path().join("rules.json"), text).unwrap();
    }
}

/// Everything that reached the upstream.
pub type Seen = Arc<Mutex<Vec<String>>>;

/// An Envoy before an upstream. It ends with this, and with the process of the test.
pub struct Proxy {
    _process: Process,
    client: reqwest::Client,
    base: String,
    /// The heads of the requests that came through.
    pub seen: Seen,
    _folder: TempDir,
}

impl Proxy {
    /// Starts one with this domain and credential.
    pub async fn start(limited: &Limited, domain: &str, credential: &str) -> Self {
        let metadata = format!(r#"[{{ key: authorization, value: "Bearer {credential}" }}]"#);
        Self::start_with(limited, domain, &metadata, "null").await
    }

    /// Starts one that shows a certificate, and has no credential.
    pub async fn start_certified(limited: &Limited, domain: &str, shown: &Issued) -> Self {
        let TlsFiles { certificate, key, authority } = &shown.files;
        let transport = include_str!("tls.yaml")
            .replace("@CERTIFICATE@", certificate.to_str().unwrap())
            .replace("@KEY@", key.to_str().unwrap())
            .replace("@AUTHORITY@", authority.to_str().unwrap());
        Self::start_with(limited, domain, "[]", &transport).await
    }

    async fn start_with(limited: &Limited, domain: &str, metadata: &str, transport: &str) -> Self {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (folder, port, seen) = (tempfile::tempdir().unwrap(), free_port(), Seen::default());
        let config = include_str!("envoy.yaml")
            .replace("@LISTEN@", &port.to_string())
            .replace("@UPSTREAM@", &upstream.local_addr().unwrap().port().to_string())
            .replace("@RATELIMIT@", &limited.replica.addr.port().to_string())
            .replace("@DOMAIN@", domain)
            .replace("@METADATA@", metadata)
            .replace("@TRANSPORT@", transport);
        let file = folder.path().join("envoy.yaml");
        std::fs::write(&file, config).unwrap();
        tokio::spawn(serve(upstream, Arc::clone(&seen)));
        let program =
            tools::find("envoy").unwrap_or_else(|| panic!("Envoy is missing: run `make setup-test`"));
        let file = file.to_str().unwrap();
        let words = ["-c", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"];
        let process = Process::spawn(&program, &words, &[], &folder.path().join("envoy.log")).unwrap();
        mintmark_service::install_crypto();
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        let proxy = Self {
            _process: process,
            client,
            base: format!("http://127.0.0.1:{port}/"),
            seen,
            _folder: folder,
        };
        let listens = crate::within(Duration::from_secs(60), || async {
            TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        });
        assert!(listens.await, "Envoy does not listen");
        proxy
    }

    /// One request with these headers, and with credentials that are nobody's business behind Envoy.
    pub async fn get(&self, headers: &[(&str, &str)]) -> Response {
        let request = self
            .client
            .get(&self.base)
            .header("authorization", "Bearer a-session")
            .header("x-api-key", "an-api-key");
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
            .send()
            .await
            .unwrap()
    }

    /// The status alone.
    pub async fn status(&self, headers: &[(&str, &str)]) -> u16 {
        self.get(headers).await.status().as_u16()
    }

    /// How many requests came through.
    pub fn came_through(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

async fn serve(listener: TcpListener, seen: Seen) {
    while let Ok((mut connection, _)) = listener.accept().await {
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut head = Vec::new();
            // GET alone comes: a request ends with its head.
            while let Ok(byte) = connection.read_u8().await {
                head.push(byte);
                if head.ends_with(b"\r\n\r\n") {
                    seen.lock().unwrap().push(String::from_utf8(std::mem::take(&mut head)).unwrap());
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                    if connection.write_all(answer).await.is_err() {
                        return;
                    }
                }
            }
        });
    }
}
