//! What the tests of the jobs share: a plane that works on jobs, and waiting for them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;
use mintmark_control_plane::build;
use mintmark_db::{Conn, DbConfig, Pool};
use mintmark_ids::JobId;
use mintmark_service::Context;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::directory::FakeDirectory;
use crate::harness::{Person, Plane, Reply, Shop, config, text};

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A plane with two workers, chunks of 100 units and parts of 50, that publishes to this directory.
pub async fn working(directory_url: &str) -> Plane {
    Plane::start_with(&variables(directory_url)).await
}

/// The variables of such a plane.
pub fn variables(directory_url: &str) -> [(&str, &str); 4] {
    [
        ("DIRECTORY_GRPC_URL", directory_url),
        ("JOB_WORKERS", "2"),
        ("MINT_CHUNK_UNITS", "100"),
        ("EXPORT_PART_UNITS", "50"),
    ]
}

/// One more service on the same database, keys and folders; it ends when dropped.
pub struct Another {
    /// Where it answers.
    pub base: String,
    context: Context,
    serving: Option<JoinHandle<()>>,
}

impl Drop for Another {
    fn drop(&mut self) {
        self.context.shutdown.trigger();
    }
}

impl Another {
    pub async fn beside(plane: &Plane, variables: &[(&str, &str)]) -> Self {
        let context = Context::for_tests("control-plane");
        let config = config(&plane.db, &plane.folder, &plane.control, variables);
        let service = build(config, &context).await.unwrap();
        let base = format!("http://{}", service.http_addr);
        let serving = context.home.spawn(async move { service.run().await.unwrap() });
        Another { base, context, serving: Some(serving) }
    }

    /// Ends it and waits until it has drained.
    pub async fn end(mut self) {
        self.context.shutdown.trigger();
        let serving = self.serving.take().unwrap();
        tokio::time::timeout(PATIENCE, serving).await.unwrap().unwrap();
    }
}

/// Orders a batch: its id.
pub async fn order(plane: &Plane, shop: &Shop, units: u32) -> String {
    let batch = plane.batch(&shop.owner, &shop.brand, &shop.product, units).await;
    text(&batch, "id").to_owned()
}

/// Waits until the batch or export at `path` is in this state; fails when it ends in another.
pub async fn until(plane: &Plane, shop: &Shop, path: &str, state: &str) -> Value {
    eventually(&format!("{path} is {state}"), async || {
        let view = plane.get(&shop.owner, path).await.expect(200);
        let now = text(&view, "state");
        assert!(now == state || !["failed", "sealed", "cancelled"].contains(&now), "{view:#}");
        (now == state).then_some(view)
    })
    .await
}

/// The kinds of what happened to a batch, oldest first.
pub async fn history(plane: &Plane, shop: &Shop, batch: &str) -> Vec<String> {
    let events = plane.get(&shop.owner, &format!("/v1/batches/{batch}/events")).await.expect(200);
    events["items"].as_array().unwrap().iter().rev().map(|event| text(event, "kind").to_owned()).collect()
}

/// Waits for a condition, for a bounded time.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A connection behind the service's back, with the service's own login.
pub async fn connection(plane: &Plane) -> Conn {
    Pool::new(&DbConfig::new(plane.db.url("control_app")), &plane.context.home).unwrap().get().await.unwrap()
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// The `n` of a query.
pub async fn count(plane: &Plane, query: &str) -> i64 {
    diesel::sql_query(query).get_result::<Count>(&mut *connection(plane).await).await.unwrap().n
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    id: uuid::Uuid,
}

/// The one job of a kind.
pub async fn job(plane: &Plane, kind: &str) -> JobId {
    let query = diesel::sql_query("SELECT id FROM jobs WHERE kind = $1").bind::<Text, _>(kind);
    let rows: Vec<Id> = query.load(&mut *connection(plane).await).await.unwrap();
    assert_eq!(rows.len(), 1);
    JobId::from_uuid(rows[0].id)
}

/// Where signed URLs lead when nothing else is configured.
pub const PUBLIC_URL: &str = "http://127.0.0.1:8080";

/// A plane with small parts, a sealed batch of 130 units, and the directory that has it.
pub struct Stage {
    pub plane: Plane,
    pub directory: FakeDirectory,
    pub shop: Shop,
    pub batch: String,
}

pub const UNITS: u64 = 130;

impl Stage {
    pub async fn set() -> Self {
        let directory = FakeDirectory::start().await;
        let plane = working(&directory.url()).await;
        let shop = plane.shop().await;
        let batch = order(&plane, &shop, UNITS as u32).await;
        until(&plane, &shop, &format!("/v1/batches/{batch}"), "sealed").await;
        Self { plane, directory, shop, batch }
    }

    pub fn exports(&self) -> String {
        format!("/v1/batches/{}/exports", self.batch)
    }

    pub async fn post(&self, who: &Person, body: Value) -> Reply {
        self.plane.as_person(who, "POST", &self.exports(), body).await
    }

    /// Asks for an export: its id.
    pub async fn ask(&self, body: Value) -> String {
        text(&self.post(&self.shop.owner, body).await.expect(202), "id").to_owned()
    }

    /// Asks for an export and waits until it is ready: its id and view.
    pub async fn ready(&self, body: Value) -> (String, Value) {
        let id = self.ask(body).await;
        let view = until(&self.plane, &self.shop, &format!("/v1/exports/{id}"), "ready").await;
        (id, view)
    }

    pub async fn download(&self, id: &str) -> Value {
        self.plane.get(&self.shop.owner, &format!("/v1/exports/{id}/download")).await.expect(200)
    }

    /// What is behind a URL, which leads to the configured address and not to the free port of this test.
    pub async fn open(&self, method: &str, url: &str) -> reqwest::Response {
        let url = format!("{}{}", self.plane.base, url.strip_prefix(PUBLIC_URL).unwrap());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.request(method.parse().unwrap(), url).send().await.unwrap()
    }

    pub async fn fetch(&self, url: &Value) -> Vec<u8> {
        let response = self.open("GET", url.as_str().unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.bytes().await.unwrap().to_vec()
    }

    pub async fn history(&self) -> Vec<String> {
        history(&self.plane, &self.shop, &self.batch).await
    }
}

/// Where the objects of an export lie.
pub fn folder(plane: &Plane, shop: &Shop, export: &str) -> PathBuf {
    plane.folder.path().join(format!("objects/exports/{}/{export}", shop.owner.tenant))
}
