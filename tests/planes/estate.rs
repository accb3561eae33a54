//! Both services as processes, on two databases of one cluster, with keys and folders of their own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mintmark_auth::{
    DEFAULT_ISSUER, Grant, SigningKey, TokenSource, TrustBundle, TrustedKey, audience, control, scope,
};
use mintmark_codes::{Code, Partition};
use mintmark_devstack::testdb::{self, TestDb};
use mintmark_devstack::{Process, logs};
use mintmark_ids::{BatchId, ServiceName, TenantId};
use mintmark_minting::{CodeMasterKey, WrappedSecret};
use mintmark_tests::program;
use reqwest::redirect::Policy;
use secrecy::ExposeSecret;
use serde_json::Value;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// Base64 of 32 times the letter m, and the key that it is.
const KEY: &str = "bW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW0=";
const KEY_BYTES: [u8; 32] = [b'm'; 32];
const PEPPER: &str = "1:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
/// A telephone: who scans with it is a person.
pub const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
/// A crawler: it changes nothing.
const CRAWLER: &str = "Googlebot/2.1";

/// What outlives each process.
pub struct Estate {
    pub control_db: TestDb,
    pub resolver_db: TestDb,
    pub folder: TempDir,
    pub control_token: String,
    pub http: reqwest::Client,
    /// Where the services send their traces, if anywhere.
    pub collector: Option<String>,
    identity: String,
    directory_addr: SocketAddr,
}

/// A running service. It ends when dropped.
pub struct Running {
    pub process: Process,
    /// `http://host:port` of its edge.
    pub base: String,
    /// The spool of a scan process.
    pub spool: PathBuf,
    pub log: PathBuf,
}

impl Running {
    /// SIGKILL.
    pub async fn kill(self) {
        tokio::task::spawn_blocking(move || self.process.kill()).await.unwrap();
    }
}

/// An address that nobody listens on.
pub fn free() -> SocketAddr {
    ([127, 0, 0, 1], mintmark_devstack::free_port()).into()
}

pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl Estate {
    pub async fn new() -> Self {
        mintmark_service::install_crypto();
        let folder = tempfile::tempdir().unwrap();
        let identity = SigningKey::generate_pem().as_str().to_owned();
        std::fs::write(folder.path().join("identity.pem"), &identity).unwrap();
        std::fs::write(folder.path().join("sessions.pem"), SigningKey::generate_pem().as_str()).unwrap();
        let grants = vec![Grant {
            aud: audience::RESOLVER.to_owned(),
            scopes: [scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ]
                .map(str::to_owned)
                .to_vec(),
        }];
        let jwk = SigningKey::from_pem(&identity).unwrap().public_jwk();
        let trusted = TrustedKey { jwk, service: ServiceName::ControlPlane, grants };
        let bundle = TrustBundle::new(DEFAULT_ISSUER, vec![trusted]).unwrap().to_json();
        std::fs::write(folder.path().join("trust.json"), bundle).unwrap();
        Estate {
            control_db: testdb::database("control-plane").await,
            resolver_db: testdb::database("resolver").await,
            folder,
            control_token: control::generate().expose_secret().to_owned(),
            http: reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap(),
            collector: None,
            identity,
            directory_addr: free(),
        }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Mints the tokens that the control plane mints.
    pub fn tokens(&self) -> TokenSource {
        let key = SigningKey::from_pem(&self.identity).unwrap();
        TokenSource::new(ServiceName::ControlPlane, key, DEFAULT_ISSUER)
    }

    /// What the services are configured with and must keep to themselves.
    pub fn keys(&self) -> Vec<(&'static str, String)> {
        let pem = self.identity.lines().filter(|line| !line.starts_with("-----")).collect();
        let pepper = PEPPER.trim_start_matches("1:").to_owned();
        vec![("the signing key", pem), ("the code master key", KEY.to_owned()), ("the pepper", pepper)]
    }

    /// Where the directory answers, whenever it runs.
    pub fn directory_url(&self) -> String {
        format!("http://{}", self.directory_addr)
    }

    async fn start(
        &self,
        name: &str,
        arguments: &[&str],
        base: SocketAddr,
        variables: Vec<(&str, String)>,
    ) -> Running {
        let ops = free();
        let mut all = vec![
            ("APP_ENV".to_owned(), "test".to_owned()),
            ("LOG_LEVEL".to_owned(), "info".to_owned()),
            ("OPS_ADDR".to_owned(), ops.to_string()),
        ];
        let traces = self.collector.iter().map(|url| ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), url.clone()));
        all.extend(traces);
        all.extend(variables.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let log = self.folder.path().join(format!("{name}-{}.log", base.port()));
        let mut process = Process::spawn(&program(name), arguments, &all, &log).unwrap();
        process.wait_ready(&format!("http://{ops}/readyz"), Duration::from_secs(60)).await.unwrap();
        Running { process, base: format!("http://{base}"), spool: PathBuf::new(), log }
    }

    /// A control plane. Several may run beside one another.
    pub async fn control(&self, further: &[(&str, &str)]) -> Running {
        let http = free();
        let mut variables = vec![
            ("CONTROL_HTTP_ADDR", http.to_string()),
            ("CONTROL_GRPC_ADDR", free().to_string()),
            ("CONTROL_DATABASE_URL", self.control_db.url("control_app")),
            ("PPOS_CONTROL_TOKEN", self.control_token.clone()),
            ("CONTROL_SIGNING_KEY_FILE", self.file("identity.pem")),
            ("SESSION_SIGNING_KEY_FILE", self.file("sessions.pem")),
            ("TRUST_BUNDLE_FILE", self.file("trust.json")),
            ("CODE_MASTER_KEY", KEY.to_owned()),
            ("CODE_BASE_URL", "https://id.example".to_owned()),
            ("EXPORT_STORE_URL", format!("file://{}", self.file("objects"))),
            ("EXPORT_URL_SIGNING_KEY", KEY.to_owned()),
            ("RATE_LIMIT_ENABLED", "false".to_owned()),
            ("DIRECTORY_GRPC_URL", self.directory_url()),
            ("SCAN_PULL_SECS", "1".to_owned()),
        ];
        variables.extend(further.iter().map(|(name, value)| (*name, (*value).to_owned())));
        self.start("control-plane", &["serve"], http, variables).await
    }

    /// The directory role, always at the same address.
    pub async fn directory(&self) -> Running {
        let variables = vec![
            ("DIRECTORY_GRPC_ADDR", self.directory_addr.to_string()),
            ("DIRECTORY_DATABASE_URL", self.resolver_db.url("resolver_directory")),
            ("CODE_PEPPERS", PEPPER.to_owned()),
            ("TRUST_BUNDLE_FILE", self.file("trust.json")),
        ];
        self.start("resolver", &["directory"], self.directory_addr, variables).await
    }

    /// A scan role with a spool of its own; it believes what `X-Forwarded-For` says.
    pub async fn scan(&self) -> Running {
        let http = free();
        let spool = self.folder.path().join(format!("spool-{}", http.port()));
        let variables = vec![
            ("SCAN_HTTP_ADDR", http.to_string()),
            ("SCAN_DATABASE_URL", self.resolver_db.url("resolver_scan")),
            ("CODE_PEPPERS", PEPPER.to_owned()),
            ("SCAN_SPOOL_DIR", spool.display().to_string()),
            ("SCAN_TRUSTED_PROXIES", "127.0.0.0/8".to_owned()),
        ];
        Running { spool, ..self.start("resolver", &["scan"], http, variables).await }
    }

    /// The superuser in the resolver's database.
    pub async fn resolver(&self) -> Client {
        connect(&self.resolver_db.superuser_url()).await
    }

    /// The superuser in the control plane's database.
    pub async fn control_rows(&self) -> Client {
        connect(&self.control_db.superuser_url()).await
    }

    /// The codes of a batch in the order of their serials, derived as the control plane derives them, as soon as the
    /// directory has named their partition.
    pub async fn codes(&self, batch: &str) -> Vec<Code> {
        let id: BatchId = batch.parse().unwrap();
        let query = "SELECT tenant_id, secret_key_id, wrapped_secret, partition_id, first_serial, units
                     FROM batch WHERE id = $1";
        let row = self.control_rows().await.query_one(query, &[&id.as_uuid()]).await.unwrap();
        let tenant = TenantId::parse(row.get::<_, &str>(0)).unwrap();
        let wrapped = WrappedSecret { key_id: row.get(1), bytes: row.get(2) };
        let partition = Partition::new(u16::try_from(row.get::<_, i16>(3)).unwrap()).unwrap();
        let (first, units) = (row.get::<_, i64>(4).unsigned_abs(), row.get::<_, i32>(5).unsigned_abs());
        let key = CodeMasterKey::new(wrapped.key_id.clone(), KEY_BYTES);
        let secret = key.unwrap(&wrapped, &tenant, id).unwrap();
        let codes: Vec<Code> =
            (first..first + u64::from(units)).map(|serial| secret.derive(partition, serial)).collect();
        // No log of the whole run may hold one (tests/logs); of a large batch a part says as much.
        codes.iter().take(1_000).for_each(|code| logs::code(code.as_str()));
        codes
    }

    /// A scan by a person who wants JSON.
    pub async fn scan_code(&self, scan: &Running, code: &Code) -> (u16, Value) {
        self.scan_as(scan, code, PHONE, "203.0.113.7").await
    }

    /// A scan by a person from an address.
    pub async fn scan_from(&self, scan: &Running, code: &Code, address: &str) -> (u16, Value) {
        self.scan_as(scan, code, PHONE, address).await
    }

    /// The word for a code's standing, asked for without leaving a trace.
    pub async fn standing(&self, scan: &Running, code: &Code) -> String {
        let (_, view) = self.scan_as(scan, code, CRAWLER, "203.0.113.7").await;
        view["status"].as_str().unwrap_or_default().to_owned()
    }

    async fn scan_as(&self, scan: &Running, code: &Code, agent: &str, address: &str) -> (u16, Value) {
        let request = self.http.get(format!("{}/{}", scan.base, code.as_str())).header("user-agent", agent);
        let request = request.header("accept", "application/json").header("x-forwarded-for", address);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

/// The rows that wait in a spool, as the names of its files tell.
pub fn waiting(spool: &Path) -> u32 {
    let Ok(entries) = std::fs::read_dir(spool) else { return 0 };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let rows = names.filter(|name| name.ends_with(".segment")).map(|name| {
        let rows = name.split('-').nth(1).unwrap_or_default().to_owned();
        rows.parse::<u32>().unwrap()
    });
    rows.sum()
}
