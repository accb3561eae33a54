//! Both roles on one database, a tenant, and the calls that tests make.

use std::net::SocketAddr;
use std::sync::Arc;

use mintmark_auth::{
    DEFAULT_ISSUER, Grant, SigningKey, TokenSource, TrustBundle, TrustedKey, audience, scope,
};
use mintmark_codes::{Code, CodeDigest, Partition};
use mintmark_db::DbConfig;
use mintmark_devstack::testdb::{self, TestDb};
use mintmark_fault::Fault;
use mintmark_ids::{BatchId, ProductId, ServiceName, TenantId};
use mintmark_resolver::app::peppers::Peppers;
use mintmark_resolver::config::{DirectoryConfig, ScanConfig};
use mintmark_resolver::{directory, scan};
use mintmark_rpc::client::Directory;
use mintmark_service::Context;
use mintmark_wire::directory::v1::{
    AbortPublicationRequest, ActivationMode, GetPublicationRequest, GetPublicationResponse,
    OpenPublicationRequest, OpenPublicationResponse, Product, PublishRequest, PublishResponse,
    RevokeBatchRequest, RevokeCodesRequest, SealPublicationRequest,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// A telephone, for the bot rule.
pub const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
/// A GTIN with a correct check digit.
pub const GTIN: &str = "09506000134352";
/// The first pepper.
pub const PEPPER: &str = "1:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
/// Both peppers, as after a rotation.
pub const PEPPERS: &str =
    "1:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=,2:QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=";
/// The second alone.
pub const PEPPER_2: &str = "2:QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=";

/// Everything that runs for a test.
pub struct Stage {
    pub db: Arc<TestDb>,
    pub tenant: TenantId,
    pub directory: Directory,
    pub directory_addr: SocketAddr,
    pub tokens: TokenSource,
    pub scan: Scan,
    directory_context: Context,
    pub folder: TempDir,
}

/// A running scan role.
pub struct Scan {
    pub addr: SocketAddr,
    pub context: Context,
    pub http: reqwest::Client,
    serving: Option<JoinHandle<()>>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.directory_context.shutdown.trigger();
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.context.shutdown.trigger();
    }
}

pub fn tenant(slug: &str) -> TenantId {
    TenantId::parse(slug).unwrap()
}

impl Stage {
    pub async fn new() -> Self {
        Self::on(Arc::new(testdb::database("resolver").await), PEPPER).await
    }

    /// Both roles with these peppers, on a database that may have been used before.
    pub async fn on(db: Arc<TestDb>, peppers: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::from_pem(&SigningKey::generate_pem()).unwrap();
        let grants = vec![Grant {
            aud: audience::RESOLVER.to_owned(),
            scopes: [scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ]
                .map(str::to_owned)
                .to_vec(),
        }];
        let trusted = TrustedKey { jwk: key.public_jwk(), service: ServiceName::ControlPlane, grants };
        let trust_bundle = folder.path().join("trust.json");
        std::fs::write(&trust_bundle, TrustBundle::new(DEFAULT_ISSUER, vec![trusted]).unwrap().to_json())
            .unwrap();

        let context = Context::for_tests("resolver-directory");
        let config = DirectoryConfig {
            grpc_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            database: DbConfig::new(db.url("resolver_directory")),
            peppers: Peppers::parse(peppers).unwrap(),
            trust_bundle,
            scan_retention_days: 90,
        };
        let service = directory::build(config, &context).await.unwrap();
        let directory_addr = service.addr;
        tokio::spawn(service.serve());
        let tokens = TokenSource::new(ServiceName::ControlPlane, key, DEFAULT_ISSUER);
        let client = Directory::new(&format!("http://{directory_addr}"), tokens.clone()).unwrap();
        let scan = Scan::with_peppers(&db, Vec::new(), peppers).await;
        Stage {
            db,
            tenant: tenant("acme"),
            directory: client,
            directory_addr,
            tokens,
            scan,
            directory_context: context,
            folder,
        }
    }

    /// Puts a product; answers its id.
    pub async fn product(&self, destination: Option<&str>) -> ProductId {
        let id = ProductId::new();
        self.directory.put_product(&self.tenant, product(id, 1, destination)).await.unwrap();
        id
    }

    pub async fn open(&self, terms: &OpenPublicationRequest) -> Result<OpenPublicationResponse, Fault> {
        self.directory.open_publication(&self.tenant, terms.clone()).await
    }

    pub async fn publish(&self, chunks: Vec<PublishRequest>) -> Result<Vec<PublishResponse>, Fault> {
        let mut answers = self.directory.publish(&self.tenant, futures::stream::iter(chunks)).await?;
        let mut acknowledged = Vec::new();
        loop {
            match answers.message().await {
                Ok(Some(answer)) => acknowledged.push(answer),
                Ok(None) => return Ok(acknowledged),
                Err(status) => return Err(Directory::fault(&status)),
            }
        }
    }

    pub async fn seal(&self, batch: &str, fence: i64) -> Result<std::time::SystemTime, Fault> {
        let message = SealPublicationRequest { batch_id: batch.to_owned(), fence };
        let answer = self.directory.seal_publication(&self.tenant, message).await?;
        Ok(answer.sealed_at.unwrap().try_into().unwrap())
    }

    pub async fn abort(&self, batch: &str, fence: i64) -> Result<(), Fault> {
        let message = AbortPublicationRequest { batch_id: batch.to_owned(), fence };
        self.directory.abort_publication(&self.tenant, message).await.map(drop)
    }

    /// Recalls a batch; answers since when.
    pub async fn revoke_batch(&self, batch: &str) -> Result<std::time::SystemTime, Fault> {
        let message = RevokeBatchRequest { batch_id: batch.to_owned() };
        let answer = self.directory.revoke_batch(&self.tenant, message).await?;
        Ok(answer.revoked_at.unwrap().try_into().unwrap())
    }

    /// Recalls codes; answers how many were recalled now, recalled before, and not of the batch.
    pub async fn revoke_codes(&self, batch: &str, codes: &[Code]) -> Result<[u32; 3], Fault> {
        let digests = codes.iter().flat_map(|code| *CodeDigest::of(code).as_bytes()).collect::<Vec<u8>>();
        let message = RevokeCodesRequest { batch_id: batch.to_owned(), digests: digests.into() };
        let answer = self.directory.revoke_codes(&self.tenant, message).await?;
        Ok([answer.revoked, answer.already_revoked, answer.unmatched])
    }

    pub async fn get(&self, batch: &str) -> Result<GetPublicationResponse, Fault> {
        self.directory
            .get_publication(&self.tenant, GetPublicationRequest { batch_id: batch.to_owned() })
            .await
    }

    /// Publishes and seals one batch of so many units; answers its codes.
    pub async fn sealed(
        &self,
        product: ProductId,
        mode: ActivationMode,
        first: u64,
        units: u64,
    ) -> Vec<Code> {
        let terms = terms(product, mode, first, units, 4);
        let codes = self.published(&terms).await;
        self.seal(&terms.batch_id, terms.fence).await.unwrap();
        codes
    }

    /// Opens and publishes all chunks, without sealing.
    pub async fn published(&self, terms: &OpenPublicationRequest) -> Vec<Code> {
        let opened = self.open(terms).await.unwrap();
        let codes = codes(opened.partition, terms.units);
        let acknowledged = self.publish(chunks(terms, &codes)).await.unwrap();
        assert_eq!(acknowledged.iter().map(|answer| u64::from(answer.units)).sum::<u64>(), terms.units);
        codes
    }

    pub async fn superuser(&self) -> tokio_postgres::Client {
        connect(&self.db.superuser_url()).await
    }
}

impl Scan {
    /// Starts one, and waits until it knows the state of the directory.
    pub async fn start(db: &TestDb, trusted_proxies: Vec<&str>) -> Self {
        Self::with_peppers(db, trusted_proxies, PEPPER).await
    }

    /// The same with other peppers.
    pub async fn with_peppers(db: &TestDb, trusted_proxies: Vec<&str>, peppers: &str) -> Self {
        Self::configured(db, trusted_proxies, peppers, |_| ()).await
    }

    /// The same with other configuration.
    pub async fn configured(
        db: &TestDb,
        trusted_proxies: Vec<&str>,
        peppers: &str,
        configure: impl FnOnce(&mut ScanConfig),
    ) -> Self {
        let context = Context::for_tests("resolver-scan");
        let mut config = ScanConfig {
            http_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            database: DbConfig::new(db.url("resolver_scan")),
            connections: 2,
            peppers: Peppers::parse(peppers).unwrap(),
            cache_entries: 1000,
            spool: None,
            geo_file: None,
            bot_list: None,
            trusted_proxies: trusted_proxies.into_iter().map(|block| block.parse().unwrap()).collect(),
        };
        configure(&mut config);
        let service = scan::build(config, &context).await.unwrap();
        let addr = service.addr;
        let serving = tokio::spawn(async move { service.serve().await.unwrap() });
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let health = context.health.clone();
        super::eventually("the scan role is ready", || async { health.ready() }).await;
        Scan { addr, context, http, serving: Some(serving) }
    }

    /// A request by a person, without `Accept`.
    pub fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.get_as(PHONE, path)
    }

    /// A request by somebody, without `Accept`.
    pub fn get_as(&self, user_agent: &str, path: &str) -> reqwest::RequestBuilder {
        self.http.get(format!("http://{}{path}", self.addr)).header("user-agent", user_agent)
    }

    /// A scan by a person who asks for JSON.
    pub async fn json(&self, path: &str) -> (u16, serde_json::Value) {
        let response = self.get(path).header("accept", "application/json").send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The word for a code's standing, by JSON, as a crawler: it leaves no trace.
    pub async fn status(&self, path: &str) -> String {
        let request = self.get_as("Googlebot/2.1", path).header("accept", "application/json");
        let view: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        view["status"].as_str().unwrap_or_default().to_owned()
    }

    pub async fn becomes(&self, path: &str, status: &str) {
        let came =
            super::within(std::time::Duration::from_secs(2), || async { self.status(path).await == status })
                .await;
        assert!(came, "{status} did not come within two seconds, but {}", self.status(path).await);
    }

    /// The button of a code's page, pressed by a program of a person.
    pub fn confirm(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(format!("http://{}{path}", self.addr)).header("user-agent", PHONE)
    }

    /// Ends it as SIGTERM would, and waits.
    pub async fn stop(&mut self) {
        self.context.shutdown.trigger();
        self.serving.take().unwrap().await.unwrap();
    }
}

pub fn product(id: ProductId, version: u64, destination: Option<&str>) -> Product {
    Product {
        product_id: id.to_string(),
        gtin: GTIN.to_owned(),
        brand_name: "Alpine & Sons".to_owned(),
        product_name: "Mountain jacket <M>".to_owned(),
        destination_template: destination.map(str::to_owned),
        version,
        presentation: None,
    }
}

pub fn terms(
    product: ProductId,
    mode: ActivationMode,
    first: u64,
    units: u64,
    chunk: u32,
) -> OpenPublicationRequest {
    OpenPublicationRequest {
        batch_id: BatchId::new().to_string(),
        product_id: product.to_string(),
        mode: mode.into(),
        first_serial: first,
        units,
        chunk_units: chunk,
        fence: 1,
    }
}

/// Fresh codes of a partition.
pub fn codes(partition: u32, units: u64) -> Vec<Code> {
    let partition = Partition::new(u16::try_from(partition).unwrap()).unwrap();
    (0..units).map(|_| Code::from_parts(partition, uuid::Uuid::new_v4().as_u128())).collect()
}

/// All chunks of a publication.
pub fn chunks(terms: &OpenPublicationRequest, codes: &[Code]) -> Vec<PublishRequest> {
    codes
        .chunks(terms.chunk_units as usize)
        .zip(0..)
        .map(|(codes, chunk)| chunk_of(terms, chunk, codes))
        .collect()
}

pub fn chunk_of(terms: &OpenPublicationRequest, chunk: u32, codes: &[Code]) -> PublishRequest {
    let digests = codes.iter().flat_map(|code| *CodeDigest::of(code).as_bytes()).collect::<Vec<u8>>();
    PublishRequest { batch_id: terms.batch_id.clone(), fence: terms.fence, chunk, digests: digests.into() }
}

pub fn link(code: &Code) -> String {
    format!("/01/{GTIN}/21/{}", code.as_str())
}

pub async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
