//! A running control plane, and the people and things that tests need in it, all made through its public API.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel_async::SimpleAsyncConnection;
use mintmark_auth::{DEFAULT_ISSUER, Grant, SigningKey, TrustBundle, TrustedKey, audience, control, scope};
use mintmark_control_plane::{Config, build};
use mintmark_db::{DbConfig, Pool};
use mintmark_devstack::testdb::{self, TestDb};
use mintmark_ids::ServiceName;
use mintmark_service::Context;
use mintmark_service::config::Reader;
use reqwest::{Client, Method, header::HeaderMap};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Base64 of 32 times the letter m: good enough for a test's keys.
const KEY: &str = "bW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW0=";

/// A control plane of its own, with nothing in it.
pub struct Plane {
    pub base: String,
    /// Where its gRPC answers.
    pub grpc: SocketAddr,
    pub control: String,
    pub context: Context,
    pub db: TestDb,
    pub folder: TempDir,
    client: Client,
}

/// A person with a session.
#[derive(Clone)]
pub struct Person {
    pub id: String,
    pub tenant: String,
    pub session: String,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Reply {
    /// The body, when the status is as expected.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    /// The code of the problem document, when the status is as expected.
    #[track_caller]
    pub fn problem(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{:#}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.body["status"], status);
        self.body["code"].as_str().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.context.shutdown.trigger();
    }
}

impl Plane {
    /// Starts one that runs no jobs.
    pub async fn start() -> Plane {
        Plane::start_with(&[]).await
    }

    /// Starts one with further variables, which win over the usual ones.
    pub async fn start_with(variables: &[(&str, &str)]) -> Plane {
        let db = testdb::database("control-plane").await;
        Plane::start_on(db, variables).await
    }

    /// Starts one on a database that has been used before.
    pub async fn start_on(db: TestDb, variables: &[(&str, &str)]) -> Plane {
        let folder = tempfile::tempdir().unwrap();
        let control = control::generate().expose_secret().to_owned();
        let context = Context::for_tests("control-plane");
        let config = config(&db, &folder, &control, variables);
        let service = build(config, &context).await.unwrap();
        let (base, grpc) = (format!("http://{}", service.http_addr), service.grpc_addr);
        context.home.spawn(async move { service.run().await.unwrap() });
        let client = Client::builder().no_proxy().build().unwrap();
        Plane { base, grpc, control, context, db, folder, client }
    }

    /// Sends a request with all that it takes.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Reply {
        self.send_to(&self.base, method, path, token, headers, body).await
    }

    /// The same to another process.
    pub async fn send_to(
        &self,
        base: &str,
        method: &str,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Reply {
        let method: Method = method.parse().unwrap();
        let mut request = self.client.request(method, format!("{base}{path}"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
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

    /// A request of the operator.
    pub async fn admin(&self, method: &str, path: &str, body: Value) -> Reply {
        let body = (!body.is_null()).then_some(&body);
        self.send(method, path, Some(&self.control), &[], body).await
    }

    /// A request of a person.
    pub async fn as_person(&self, who: &Person, method: &str, path: &str, body: Value) -> Reply {
        let body = (!body.is_null()).then_some(&body);
        self.send(method, path, Some(&who.session), &[], body).await
    }

    pub async fn get(&self, who: &Person, path: &str) -> Reply {
        self.as_person(who, "GET", path, Value::Null).await
    }

    /// A new tenant; its id.
    pub async fn tenant(&self) -> String {
        let id = format!("tenant-{}", next());
        self.admin("POST", "/api/admin/tenants", json!({ "id": id, "name": "A tenant" })).await.expect(201);
        id
    }

    /// A new person of a tenant, with a session.
    pub async fn person(&self, tenant: &str, tenant_admin: bool) -> Person {
        let email = format!("person-{}@example.com", next());
        let new =
            json!({ "tenantId": tenant, "email": email, "name": "A person", "tenantAdmin": tenant_admin });
        let user = self.admin("POST", "/api/admin/users", new).await.expect(201);
        let id = user["id"].as_str().unwrap().to_owned();
        let session = self.session(&id).await;
        Person { id, tenant: tenant.to_owned(), session }
    }

    pub async fn session(&self, user: &str) -> String {
        let made = self.admin("POST", "/api/admin/sessions", json!({ "userId": user })).await.expect(201);
        made["token"].as_str().unwrap().to_owned()
    }

    /// Gives a role for a brand; the membership's id.
    pub async fn grant(&self, who: &Person, brand: &str, role: &str) -> String {
        let new = json!({ "userId": who.id, "brandId": brand, "role": role });
        let made = self.admin("POST", "/api/admin/memberships", new).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    }

    /// A new brand of an administrator, who becomes its Owner; its id.
    pub async fn brand(&self, admin: &Person) -> String {
        let made =
            self.as_person(admin, "POST", "/v1/brands", json!({ "name": "A brand" })).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    }

    /// A new product with a GTIN of its own; its id.
    pub async fn product(&self, who: &Person, brand: &str) -> String {
        let new = json!({ "brandId": brand, "gtin": gtin(), "name": "A product" });
        let made = self.as_person(who, "POST", "/v1/products", new).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    }

    /// Asks for a batch under a key.
    pub async fn order(&self, who: &Person, brand: &str, key: &str, order: &Value) -> Reply {
        let path = format!("/v1/brands/{brand}/batches");
        self.send("POST", &path, Some(&who.session), &[("Idempotency-Key", key)], Some(order)).await
    }

    /// A new batch; its view.
    pub async fn batch(&self, who: &Person, brand: &str, product: &str, units: u32) -> Value {
        let order = json!({ "productId": product, "units": units, "mode": "first_scan" });
        self.order(who, brand, &format!("key-{}", next()), &order).await.expect(202)
    }

    /// An owner with a brand and a product, in a tenant of their own.
    pub async fn shop(&self) -> Shop {
        let tenant = self.tenant().await;
        let owner = self.person(&tenant, true).await;
        let brand = self.brand(&owner).await;
        let product = self.product(&owner, &brand).await;
        Shop { owner, brand, product }
    }

    /// Changes the database behind the service's back, as the owner of the tables.
    pub async fn sql(&self, statements: &str) {
        let pool = Pool::new(&DbConfig::new(self.db.owner_url()), &self.context.home).unwrap();
        pool.get().await.unwrap().batch_execute(statements).await.unwrap();
    }
}

/// The usual beginning of a journey.
pub struct Shop {
    pub owner: Person,
    pub brand: String,
    pub product: String,
}

/// The variables that a service of a test has when nothing more is said.
pub fn surroundings(db: &TestDb, folder: &TempDir, control: &str) -> Vec<(String, String)> {
    let key_file = |name: &str| {
        let path = folder.path().join(name);
        if !path.exists() {
            std::fs::write(&path, SigningKey::generate_pem().as_str()).unwrap();
        }
        path.to_str().unwrap().to_owned()
    };
    let store = format!("file://{}", folder.path().join("objects").display());
    let (identity, _console) = (key_file("identity.pem"), key_file("console.pem"));
    let trust = folder.path().join("trust.json");
    std::fs::write(&trust, trust_bundle(folder.path()).to_json()).unwrap();
    vec![
        ("APP_ENV".to_owned(), "test".to_owned()),
        ("CONTROL_HTTP_ADDR".to_owned(), "127.0.0.1:0".to_owned()),
        ("CONTROL_GRPC_ADDR".to_owned(), "127.0.0.1:0".to_owned()),
        ("CONTROL_DATABASE_URL".to_owned(), db.url("control_app")),
        ("PPOS_CONTROL_TOKEN".to_owned(), control.to_owned()),
        ("CONTROL_SIGNING_KEY_FILE".to_owned(), identity),
        ("SESSION_SIGNING_KEY_FILE".to_owned(), key_file("sessions.pem")),
        ("TRUST_BUNDLE_FILE".to_owned(), trust.to_str().unwrap().to_owned()),
        ("CODE_MASTER_KEY".to_owned(), KEY.to_owned()),
        ("CODE_BASE_URL".to_owned(), "https://id.example".to_owned()),
        ("EXPORT_STORE_URL".to_owned(), store),
        ("EXPORT_URL_SIGNING_KEY".to_owned(), KEY.to_owned()),
        ("JOB_WORKERS".to_owned(), "0".to_owned()),
        ("RATE_LIMIT_ENABLED".to_owned(), "false".to_owned()),
    ]
}

/// Who may sign what: the plane for the preflight service and the vault, the console (`console.pem`) for an exchange of tokens.
pub fn trust_bundle(folder: &Path) -> TrustBundle {
    let key = |name: &str, service, aud: &str, scopes: &[&str]| TrustedKey {
        jwk: SigningKey::from_pem(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap().public_jwk(),
        service,
        grants: vec![Grant {
            aud: aud.to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        }],
    };
    let vault = scope::EVIDENCE.map(str::to_owned).to_vec();
    let mut plane = key("identity.pem", ServiceName::ControlPlane, audience::PREFLIGHT, &scope::PREFLIGHT);
    plane.grants.push(Grant { aud: audience::EVIDENCE.to_owned(), scopes: vault });
    let keys =
        vec![plane, key("console.pem", ServiceName::Console, audience::REGISTRY, &[scope::TOKENS_EXCHANGE])];
    TrustBundle::new(DEFAULT_ISSUER, keys).unwrap()
}

/// A configuration as `serve` reads it.
pub fn config(db: &TestDb, folder: &TempDir, control: &str, variables: &[(&str, &str)]) -> Config {
    let mut all = surroundings(db, folder, control);
    all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let mut reader = Reader::from_pairs(all);
    let config = Config::read(&mut reader);
    reader.finish(config).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A number that no other test of this process has.
pub fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A valid GTIN-14 that no other test has.
pub fn gtin() -> String {
    let body = format!("0950600{:06}", next());
    let sum: u64 =
        body.bytes().enumerate().map(|(i, d)| u64::from(d - b'0') * if i % 2 == 0 { 3 } else { 1 }).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// The value of a text member.
#[track_caller]
pub fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value:#}"))
}
