//! Somebody who works with the control plane, through the front of its replicas.

use std::sync::Arc;

use mintmark_auth::scope;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::front::Front;
use crate::keys::TENANT;

#[derive(Clone)]
pub struct Person {
    api: Arc<Front>,
    session: String,
    pub brand: String,
    pub product: String,
}

impl Person {
    pub async fn seed(api: Arc<Front>, operator: String) -> Self {
        let (brand, product) = (String::new(), String::new());
        let mut this = Self { api, session: operator, brand, product };
        let tenant = json!({ "id": TENANT, "name": "Upgrade Goods", "tier": "enterprise" });
        this.post("/api/admin/tenants", None, &tenant).await;
        let owner =
            json!({ "tenantId": TENANT, "email": "o@upgrade.example", "name": "O", "tenantAdmin": true });
        let user = this.post("/api/admin/users", None, &owner).await;
        let arbitrates = json!({ "userId": user["id"], "role": "ARBITRATOR" });
        this.post("/api/admin/memberships", None, &arbitrates).await;
        let asked = json!({ "userId": user["id"] });
        this.session = text(&this.post("/api/admin/sessions", None, &asked).await, "token");
        this.brand = text(&this.post("/v1/brands", None, &json!({ "name": "Upgrade" })).await, "id");
        let product = json!({ "brandId": this.brand, "gtin": "09506000134352", "name": "Product" });
        this.product = text(&this.post("/v1/products", None, &product).await, "id");
        this
    }

    /// A request that must succeed at once.
    pub async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> Value {
        ask(&self.api, path, |client, base| {
            let request = client.post(format!("{base}{path}")).bearer_auth(&self.session).json(body);
            match key {
                Some(key) => request.header("Idempotency-Key", key),
                None => request,
            }
        })
        .await
    }

    pub async fn get(&self, path: &str) -> Value {
        ask(&self.api, path, |client, base| client.get(format!("{base}{path}")).bearer_auth(&self.session))
            .await
    }

    /// The bytes behind a signed URL.
    pub async fn fetch(&self, url: &str) -> Vec<u8> {
        let path = &url[url.find("/objects/").unwrap()..];
        bytes(&self.api, path, |client, base| client.get(format!("{base}{path}"))).await
    }

    /// A fresh PREFLIGHT_JWT in exchange for the session.
    pub async fn preflight_token(&self) -> String {
        let scopes = json!({ "scopes": scope::PREFLIGHT });
        text(&self.post("/v1/preflight-tokens", None, &scopes).await, "token")
    }

    /// Uploads evidence, and gives the record's id.
    pub async fn upload(&self, dispute: &str, key: &str, content: &[u8]) -> String {
        let path = format!("/v1/evidence?dispute={dispute}");
        let stored = ask(&self.api, &path, |client, base| {
            let request = client.post(format!("{base}{path}")).bearer_auth(&self.session);
            let request = request.header("Idempotency-Key", key).header("Content-Type", "image/jpeg");
            request.body(content.to_vec())
        });
        text(&stored.await, "id")
    }

    /// The content of a record.
    pub async fn evidence(&self, record: &str) -> Vec<u8> {
        let path = format!("/v1/evidence/{record}/content");
        bytes(&self.api, &path, |client, base| client.get(format!("{base}{path}")).bearer_auth(&self.session))
            .await
    }
}

/// The answer to a request that must succeed at once.
pub async fn ask(front: &Front, path: &str, make: impl FnOnce(&Client, &str) -> RequestBuilder) -> Value {
    serde_json::from_slice(&bytes(front, path, make).await).unwrap()
}

async fn bytes(front: &Front, path: &str, make: impl FnOnce(&Client, &str) -> RequestBuilder) -> Vec<u8> {
    let (status, body) = front.send(make).await.unwrap_or_else(|error| panic!("{path}: {error:?}"));
    assert!((200..300).contains(&status), "{path}: {status} {}", String::from_utf8_lossy(&body));
    body
}

/// A member that must be there and be text.
pub fn text(body: &Value, member: &str) -> String {
    body[member].as_str().unwrap_or_else(|| panic!("no '{member}' in {body:#}")).to_owned()
}
