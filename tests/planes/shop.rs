//! People and things of the control plane, made through its public API.

use std::sync::atomic::{AtomicU64, Ordering};

use mintmark_codes::Code;
use reqwest::Method;
use serde_json::{Value, json};

use crate::estate::{Estate, Running};
use crate::eventually;

/// A person with a session.
#[derive(Clone)]
pub struct Person {
    pub id: String,
    pub session: String,
}

/// An owner with a brand and a product, in a tenant of their own.
pub struct Shop {
    pub tenant: String,
    pub owner: Person,
    pub brand: String,
    pub product: String,
}

/// What came back, with the very bytes.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub replayed: bool,
    pub bytes: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    /// The body, when the status is as expected.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.json());
        self.json()
    }

    /// The code of the problem, when the status is as expected.
    #[track_caller]
    pub fn problem(&self, status: u16) -> String {
        text(&self.expect(status), "code")
    }
}

/// A text member.
#[track_caller]
pub fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value:#}")).to_owned()
}

fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn gtin() -> String {
    let body = format!("0950600{:06}", next());
    let sum: u64 =
        body.bytes().zip([3, 1].into_iter().cycle()).map(|(digit, by)| u64::from(digit - b'0') * by).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

impl Estate {
    pub async fn call(
        &self,
        plane: &Running,
        method: &str,
        path: &str,
        token: &str,
        key: Option<&str>,
        body: &Value,
    ) -> Reply {
        let method: Method = method.parse().unwrap();
        mintmark_devstack::logs::secret("a credential of a call", token);
        let mut request = self.http.request(method, format!("{}{path}", plane.base)).bearer_auth(token);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let replayed = response.headers().contains_key("idempotent-replayed");
        Reply { status, replayed, bytes: response.bytes().await.unwrap().to_vec() }
    }

    pub async fn admin(&self, plane: &Running, method: &str, path: &str, body: Value) -> Reply {
        self.call(plane, method, path, &self.control_token, None, &body).await
    }

    pub async fn person(&self, plane: &Running, tenant: &str, admin: bool) -> Person {
        let email = format!("person-{}@example.com", next());
        let new = json!({ "tenantId": tenant, "email": email, "name": "A person", "tenantAdmin": admin });
        let id = text(&self.admin(plane, "POST", "/api/admin/users", new).await.expect(201), "id");
        let made = self.admin(plane, "POST", "/api/admin/sessions", json!({ "userId": id })).await;
        Person { session: text(&made.expect(201), "token"), id }
    }

    /// Gives a role for a brand; the membership's id.
    pub async fn role(&self, plane: &Running, person: &Person, brand: &str, role: &str) -> String {
        let new = json!({ "userId": person.id, "brandId": brand, "role": role });
        text(&self.admin(plane, "POST", "/api/admin/memberships", new).await.expect(201), "id")
    }

    pub async fn brand(&self, plane: &Running, owner: &Person) -> (String, String) {
        let post = async |path: &str, body: Value| {
            text(&self.call(plane, "POST", path, &owner.session, None, &body).await.expect(201), "id")
        };
        let brand = post("/v1/brands", json!({ "name": "A brand" })).await;
        let product =
            post("/v1/products", json!({ "brandId": brand, "gtin": gtin(), "name": "A product" })).await;
        (brand, product)
    }

    pub async fn shop(&self, plane: &Running) -> Shop {
        let tenant = format!("tenant-{}", next());
        let new = json!({ "id": tenant, "name": "A tenant" });
        self.admin(plane, "POST", "/api/admin/tenants", new).await.expect(201);
        let owner = self.person(plane, &tenant, true).await;
        let (brand, product) = self.brand(plane, &owner).await;
        Shop { tenant, owner, brand, product }
    }

    /// Asks for a batch.
    pub async fn order(&self, plane: &Running, who: &Person, brand: &str, key: &str, order: &Value) -> Reply {
        let path = format!("/v1/brands/{brand}/batches");
        self.call(plane, "POST", &path, &who.session, Some(key), order).await
    }

    /// Asks for a batch under a key of its own; its id.
    pub async fn batch(&self, plane: &Running, shop: &Shop, units: u32) -> String {
        let order = shop.order(units);
        let key = format!("key-{}", next());
        text(&self.order(plane, &shop.owner, &shop.brand, &key, &order).await.expect(202), "id")
    }

    pub async fn view(&self, plane: &Running, shop: &Shop, batch: &str) -> Value {
        let path = format!("/v1/batches/{batch}");
        self.call(plane, "GET", &path, &shop.owner.session, None, &Value::Null).await.expect(200)
    }

    /// Waits until a batch is in this state; fails when it ends in another.
    pub async fn until(&self, plane: &Running, shop: &Shop, batch: &str, state: &str) -> Value {
        eventually(&format!("{batch} is {state}"), async || {
            let view = self.view(plane, shop, batch).await;
            let now = text(&view, "state");
            assert!(now == state || !["failed", "sealed", "cancelled"].contains(&now.as_str()), "{view:#}");
            (now == state).then_some(view)
        })
        .await
    }

    /// A sealed batch that each of these scan processes knows: its id and codes.
    pub async fn sealed(
        &self,
        plane: &Running,
        shop: &Shop,
        units: u32,
        scans: &[&Running],
    ) -> (String, Vec<Code>) {
        let batch = self.batch(plane, shop, units).await;
        self.until(plane, shop, &batch, "sealed").await;
        let codes = self.codes(&batch).await;
        for scan in scans {
            eventually("the batch can be scanned", async || {
                (self.standing(scan, &codes[0]).await == "genuine").then_some(())
            })
            .await;
        }
        (batch, codes)
    }
}

impl Shop {
    /// An order of units that the first scan activates.
    pub fn order(&self, units: u32) -> Value {
        json!({ "productId": self.product, "units": units, "mode": "first_scan" })
    }
}
