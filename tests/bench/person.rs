//! A person of a brand, who mints and exports over the control plane's HTTP API as anybody does.

use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::Result;
use crate::stage::{Role, Stage};

/// Between two looks at something that is being made. It is part of every time that is measured this way.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Far beyond what anything here takes.
const DONE_WITHIN: Duration = Duration::from_secs(1_200);

/// A brand's owner with a session, a brand and a product.
pub struct Person {
    client: Client,
    base: String,
    session: String,
    brand: String,
    product: String,
    orders: u32,
}

/// A sealed batch.
pub struct Minted {
    /// Its id.
    pub batch: String,
    /// From the order's first byte to the first answer that said `sealed`.
    pub took: Duration,
}

impl Person {
    /// Makes tenant, person, brand and product.
    ///
    /// # Errors
    /// The control plane refuses something.
    pub async fn new(stage: &Stage) -> Result<Self> {
        let client = Client::builder().no_proxy().build()?;
        let base = stage.service(Role::ControlPlane).url();
        let mut person = Self {
            client,
            base,
            session: stage.secrets.control_token.clone(),
            brand: String::new(),
            product: String::new(),
            orders: 0,
        };
        person.post("/api/admin/tenants", &json!({ "id": "bench", "name": "A tenant" })).await?;
        let user = json!({ "tenantId": "bench", "email": "owner@example.com", "name": "Owner", "tenantAdmin": true });
        let user = person.post("/api/admin/users", &user).await?;
        let session = person.post("/api/admin/sessions", &json!({ "userId": user["id"] })).await?;
        person.session = text(&session, "token")?;
        person.brand = text(&person.post("/v1/brands", &json!({ "name": "A brand" })).await?, "id")?;
        let product = json!({
            "brandId": person.brand, "gtin": "09506000134352", "name": "A product",
            "destinationTemplate": "https://brand.example/{gtin}/{serial}",
        });
        person.product = text(&person.post("/v1/products", &product).await?, "id")?;
        Ok(person)
    }

    /// Speaks to the control plane that runs now.
    pub fn follow(&mut self, stage: &Stage) {
        self.base = stage.service(Role::ControlPlane).url();
    }

    /// Orders a batch and waits until it is sealed.
    ///
    /// # Errors
    /// It is refused, or ends otherwise.
    pub async fn mint(&mut self, units: u64) -> Result<Minted> {
        self.orders += 1;
        let key = format!("order-{}", self.orders);
        let body = json!({ "productId": self.product, "units": units, "mode": "first_scan" });
        let started = Instant::now();
        let path = format!("/v1/brands/{}/batches", self.brand);
        let batch = text(&self.call(Method::POST, &path, Some(&key), Some(&body)).await?, "id")?;
        self.until(&format!("/v1/batches/{batch}"), "sealed").await?;
        Ok(Minted { batch, took: started.elapsed() })
    }

    /// Looks at a thing until it is in a state.
    ///
    /// # Errors
    /// It ends in another one.
    pub async fn until(&self, path: &str, state: &str) -> Result<Value> {
        let deadline = Instant::now() + DONE_WITHIN;
        loop {
            let thing = self.call(Method::GET, path, None, None).await?;
            let now = text(&thing, "state")?;
            if now == state {
                return Ok(thing);
            }
            if ["failed", "cancelled"].contains(&now.as_str()) || Instant::now() > deadline {
                return Err(format!("{path} did not become {state}: {thing:#}").into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// A POST that must succeed.
    ///
    /// # Errors
    /// It does not.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::POST, path, None, Some(body)).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Value> {
        let mut request =
            self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.session);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status();
        let body: Value = response.json().await?;
        if !status.is_success() {
            return Err(format!("{path} was answered with {status}: {body:#}").into());
        }
        Ok(body)
    }
}

/// A text member of an answer.
///
/// # Errors
/// There is none.
pub fn text(value: &Value, member: &str) -> Result<String> {
    value[member].as_str().map(ToOwned::to_owned).ok_or_else(|| format!("no {member} in {value:#}").into())
}
