//! A tenant with people of every role and one of each thing, made through the public API.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mintmark_auth::api_scope::ENTERPRISE;
use reqwest::{Client, Method};
use serde_json::{Value, json};

const LOGO: &[u8] = include_bytes!("../../../crates/mintmark/demo/logo.png");
const PICTURE: &[u8] = include_bytes!("../../../crates/mintmark/demo/espresso.png");
/// A small batch is sealed within a second; slow machines take their time.
const SEALED_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at a batch.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A person with a session.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: String,
    pub session: String,
}

/// A tenant with everything that a route can name.
#[derive(Clone, Debug)]
pub struct Shop {
    pub tenant: String,
    /// Owner of the brand, administrator of the tenant, with every role for evidence.
    pub owner: Person,
    pub admin: Person,
    pub member: Person,
    /// Of the tenant, without a role for the brand.
    pub colleague: Person,
    /// Administrator of the tenant, without a role for the brand.
    pub chief: Person,
    pub brand: String,
    pub product: String,
    /// Sealed, three units, mode `first_scan`.
    pub batch: String,
    /// Of the batch, with a table; ready or nearly so.
    pub export: String,
    /// A user whom nobody needs.
    pub spare_user: String,
    /// A membership that nobody needs.
    pub spare_membership: String,
    /// An API key of the owner with every scope.
    pub api_key: String,
    /// The id of an API key that nobody needs.
    pub spare_key: String,
    /// Open.
    pub dispute: String,
    /// Of the dispute.
    pub evidence: String,
    /// On all of the tenant's evidence.
    pub operation: String,
}

/// What it takes to make one.
pub(super) struct Maker<'a> {
    pub http: &'a Client,
    pub base: &'a SocketAddr,
    pub control: &'a str,
}

impl Maker<'_> {
    pub async fn shop(&self) -> Shop {
        let tenant = format!("tenant-{}", next());
        self.made("/api/admin/tenants", self.control, json!({ "id": tenant, "name": "A tenant" })).await;
        let owner = self.person(&tenant, true).await;
        let brand = id(&self.made("/v1/brands", &owner.session, json!({ "name": "A brand" })).await);
        let (admin, member) = (self.person(&tenant, false).await, self.person(&tenant, false).await);
        self.grant(&admin.id, &brand, "admin").await;
        self.grant(&member.id, &brand, "member").await;
        let spare_user = self.person(&tenant, false).await.id;
        let spare_membership = self.grant(&spare_user, &brand, "member").await;
        let new = json!({ "brandId": brand, "gtin": gtin(), "name": "A product" });
        let product = id(&self.made("/v1/products", &owner.session, new).await);
        for (path, file) in
            [(format!("/v1/brands/{brand}/logo"), LOGO), (format!("/v1/products/{product}/picture"), PICTURE)]
        {
            self.upload(&owner.session, &path, file).await;
        }
        let order = json!({ "productId": product, "units": 3, "mode": "first_scan" });
        let batch = id(&self.made(&format!("/v1/brands/{brand}/batches"), &owner.session, order).await);
        self.sealed(&owner.session, &batch).await;
        let formats = json!({ "formats": ["csv"] });
        let export = id(&self.made(&format!("/v1/batches/{batch}/exports"), &owner.session, formats).await);
        for role in ["USER", "ARBITRATOR", "GOVERNANCE"] {
            let grant = json!({ "userId": owner.id, "role": role });
            self.made("/api/admin/memberships", self.control, grant).await;
        }
        let dispute = id(&self.made("/v1/disputes", &owner.session, json!({ "reference": "CASE-1" })).await);
        let evidence = format!("/v1/evidence?dispute={dispute}");
        let evidence = id(&self.made(&evidence, &owner.session, json!({ "seen": "at the fair" })).await);
        let operations = format!("/api/admin/tenants/{tenant}/evidence/operations");
        let operation = id(&self.made(&operations, self.control, json!({ "kind": "retention" })).await);
        let [api_key, spare_key] = [self.key(&owner.session).await, self.key(&owner.session).await];
        Shop {
            api_key: api_key["key"].as_str().unwrap().to_owned(),
            spare_key: id(&spare_key),
            dispute,
            evidence,
            operation,
            colleague: self.person(&tenant, false).await,
            chief: self.person(&tenant, true).await,
            tenant,
            owner,
            admin,
            member,
            brand,
            product,
            batch,
            export,
            spare_user,
            spare_membership,
        }
    }

    async fn person(&self, tenant: &str, tenant_admin: bool) -> Person {
        let email = format!("person-{}@example.com", next());
        let new =
            json!({ "tenantId": tenant, "email": email, "name": "A person", "tenantAdmin": tenant_admin });
        let user = id(&self.made("/api/admin/users", self.control, new).await);
        let session = self.made("/api/admin/sessions", self.control, json!({ "userId": user })).await;
        Person { id: user, session: session["token"].as_str().unwrap().to_owned() }
    }

    async fn grant(&self, user: &str, brand: &str, role: &str) -> String {
        let new = json!({ "userId": user, "brandId": brand, "role": role });
        id(&self.made("/api/admin/memberships", self.control, new).await)
    }

    async fn key(&self, session: &str) -> Value {
        let scopes: Vec<&str> = ENTERPRISE.iter().map(|scope| scope.as_str()).collect();
        self.made("/v1/api-keys", session, json!({ "name": "A key", "scopes": scopes })).await
    }

    async fn upload(&self, session: &str, path: &str, file: &[u8]) {
        let request = self.http.put(format!("http://{}{path}", self.base)).bearer_auth(session);
        let answer = request.header("content-type", "image/png").body(file.to_vec()).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    }

    async fn sealed(&self, session: &str, batch: &str) {
        let begun = Instant::now();
        loop {
            let path = format!("/v1/batches/{batch}");
            let view = self.ask(Method::GET, &path, session, None).await;
            if view["state"] == "sealed" {
                return;
            }
            assert!(begun.elapsed() < SEALED_WITHIN, "the batch is not sealed: {view:#}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn made(&self, path: &str, token: &str, body: Value) -> Value {
        self.ask(Method::POST, path, token, Some(body)).await
    }

    async fn ask(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Value {
        let request = self.http.request(method, format!("http://{}{path}", self.base)).bearer_auth(token);
        let mut request = request.header("idempotency-key", format!("key-{}", next()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }
}

fn id(made: &Value) -> String {
    made["id"].as_str().unwrap().to_owned()
}

/// A number that nothing else in this process has.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A valid GTIN-14 that no other product has.
fn gtin() -> String {
    let body = format!("0950600{:06}", next());
    let sum: u64 =
        body.bytes().enumerate().map(|(i, d)| u64::from(d - b'0') * if i % 2 == 0 { 3 } else { 1 }).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}
