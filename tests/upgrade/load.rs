//! People who scan, and somebody who mints and exports, all the while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mintmark_ids::BatchId;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::eventually;
use crate::front::Front;
use crate::replica::Replica;
use crate::schema::connect;
use crate::stage::{Person, Stage, text};

const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
/// Between two requests of one person.
const EVERY: Duration = Duration::from_millis(10);
const PEOPLE: usize = 3;
/// Batches that are minted at the same time.
const AT_ONCE: usize = 2;
/// Some seconds of work with debug builds.
const UNITS: u32 = 30_000;
/// From the last replacement to the end of the last batch, on a busy machine with debug builds.
const ENDED_WITHIN: Duration = Duration::from_secs(60);
/// The batch whose units are scanned, and which is exported before and after.
const FIRST_UNITS: u32 = 500;

/// A batch that was asked for.
pub struct Batch {
    pub id: String,
    pub units: u32,
}

impl Batch {
    async fn order(person: &Person, units: u32) -> Self {
        let path = format!("/v1/brands/{}/batches", person.brand);
        let body = json!({ "productId": person.product, "units": units, "mode": "static" });
        let key = format!("order-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Self { id: text(&person.post(&path, Some(&key), &body).await, "id"), units }
    }

    async fn is_sealed(&self, person: &Person) -> bool {
        let view = person.get(&format!("/v1/batches/{}", self.id)).await;
        assert!(view["failure"].is_null(), "{view:#}");
        view["state"] == "sealed"
    }

    /// As the databases know it.
    pub fn uuid(&self) -> String {
        self.id.parse::<BatchId>().unwrap().as_uuid().to_string()
    }
}

/// Makes the keys of repeatable requests differ.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Exports a batch and gives what its parts and their index are.
pub async fn export(person: &Person, batch: &Batch) -> Vec<String> {
    let key = format!("export-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let path = format!("/v1/batches/{}/exports", batch.id);
    let asked = person.post(&path, Some(&key), &json!({ "formats": ["csv"] })).await;
    let path = format!("/v1/exports/{}", text(&asked, "id"));
    eventually("the export is ready", async || {
        let view = person.get(&path).await;
        assert!(view["failure"].is_null(), "{view:#}");
        (view["state"] == "ready").then_some(())
    })
    .await;
    let download = person.get(&format!("{path}/download")).await;
    let mut digests = Vec::new();
    for part in download["parts"].as_array().unwrap() {
        let bytes = person.fetch(&text(part, "url")).await;
        assert_eq!(sha256(&bytes), text(part, "sha256"));
        digests.push(sha256(&bytes));
    }
    digests.push(sha256(&person.fetch(&text(&download["index"], "url")).await));
    digests
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub struct Load {
    stop: Arc<AtomicBool>,
    scans: Arc<AtomicU64>,
    reads: Arc<AtomicU64>,
    people: Vec<JoinHandle<()>>,
    minter: JoinHandle<Vec<Batch>>,
    first: Batch,
    exported: Vec<String>,
}

/// What came of it.
pub struct Outcome {
    pub scans: u64,
    pub reads: u64,
    pub batches: Vec<Batch>,
}

impl Load {
    /// Mints and exports a batch in peace, and then begins.
    pub async fn begin(stage: &Stage) -> Self {
        let first = Batch::order(&stage.person, FIRST_UNITS).await;
        eventually("the first batch is sealed", async || first.is_sealed(&stage.person).await.then_some(()))
            .await;
        let exported = export(&stage.person, &first).await;
        let mut codes = Vec::new();
        for serial in 1..=10 {
            let path = format!("/v1/batches/{}/tokens/{serial}/reveal", first.id);
            let uri = text(&stage.person.post(&path, None, &json!({})).await, "uri");
            codes.push(uri[uri.find("/01/").unwrap()..].to_owned());
        }
        // Each replica learns of a seal within two seconds.
        for _ in 0..2 {
            eventually("both replicas know the batch", async || {
                (scan(&stage.scans, &codes[0]).await == (200, json!("genuine"))
                    && scan(&stage.scans, &codes[0]).await == (200, json!("genuine")))
                    .then_some(())
            })
            .await;
        }
        let (stop, scans) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let people = (0..PEOPLE).map(|which| {
            let front = stage.scans.clone();
            let code = codes[which].clone();
            tokio::spawn(scanning(front, code, stop.clone(), scans.clone()))
        });
        let mut people: Vec<_> = people.collect();
        let reads = Arc::new(AtomicU64::new(0));
        let view = format!("/v1/batches/{}", first.id);
        people.push(tokio::spawn(reading(stage.person.clone(), view, stop.clone(), reads.clone())));
        let minter = tokio::spawn(minting(stage.person.clone(), stop.clone()));
        Self { stop, scans, reads, people, minter, first, exported }
    }

    /// Waits for some more of everything; whoever has failed meanwhile says so here.
    pub async fn goes_on(&mut self, stage: &Stage) {
        let resolver = connect(&stage.resolver_db.superuser_url()).await;
        let chunks = "SELECT count(*) FROM publication_chunk";
        let published = async || resolver.query_one(chunks, &[]).await.unwrap().get::<_, i64>(0);
        let (scans, reads) = (self.scans.load(Ordering::Relaxed), self.reads.load(Ordering::Relaxed));
        let before = published().await;
        eventually("scans, requests and mints go on", async || {
            let failed = self.minter.is_finished() || self.people.iter().any(JoinHandle::is_finished);
            let more = self.scans.load(Ordering::Relaxed) > scans + 20
                && self.reads.load(Ordering::Relaxed) > reads + 10
                && published().await > before + 3;
            (failed || more).then_some(())
        })
        .await;
        for task in self.people.iter_mut().filter(|task| task.is_finished()) {
            task.await.unwrap();
        }
        if self.minter.is_finished() {
            (&mut self.minter).await.unwrap();
        }
    }

    /// Waits until a batch is being minted, by this very process where it mints.
    pub async fn is_minting(&self, stage: &Stage, replica: &Replica) {
        let control = connect(&stage.control_db.superuser_url()).await;
        let resolver = connect(&stage.resolver_db.superuser_url()).await;
        let whose = if replica.mints() { replica.pid().to_string() } else { "%".to_owned() };
        let held = format!(
            "SELECT count(*) FROM jobs WHERE kind = 'mint-batch' AND state = 'running' AND worker LIKE '%/{whose}'"
        );
        let half = "SELECT count(*) FROM publication
            WHERE state = 'open' AND units_published > 0 AND units_published < units / 2";
        eventually("a batch is being minted", async || {
            let held: i64 = control.query_one(&held, &[]).await.unwrap().get(0);
            let half: i64 = resolver.query_one(half, &[]).await.unwrap().get(0);
            (held > 0 && half > 0 || self.minter.is_finished()).then_some(())
        })
        .await;
    }

    /// Ends it: what was begun comes to its end, and the first batch is exported once more.
    pub async fn end(self, stage: &Stage) -> Outcome {
        self.stop.store(true, Ordering::SeqCst);
        for person in self.people {
            person.await.unwrap();
        }
        let minted = tokio::time::timeout(ENDED_WITHIN, self.minter).await;
        let mut batches = minted.expect("the last batches are sealed in time").unwrap();
        assert_eq!(export(&stage.person, &self.first).await, self.exported, "the same pack as before");
        batches.push(self.first);
        let [scans, reads] = [self.scans, self.reads].map(|made| made.load(Ordering::Relaxed));
        Outcome { scans, reads, batches }
    }
}

async fn scanning(front: Arc<Front>, code: String, stop: Arc<AtomicBool>, scans: Arc<AtomicU64>) {
    let mut pace = tokio::time::interval(EVERY);
    while !stop.load(Ordering::SeqCst) {
        pace.tick().await;
        let answer = scan(&front, &code).await;
        let made = scans.fetch_add(1, Ordering::Relaxed);
        assert_eq!(answer, (200, json!("genuine")), "scan {made}");
    }
}

/// Looks at a batch again and again; each request is counted by the rate limiter.
async fn reading(person: Person, path: String, stop: Arc<AtomicBool>, reads: Arc<AtomicU64>) {
    let mut pace = tokio::time::interval(EVERY);
    while !stop.load(Ordering::SeqCst) {
        pace.tick().await;
        assert_eq!(person.get(&path).await["state"], "sealed");
        reads.fetch_add(1, Ordering::Relaxed);
    }
}

/// Status and verdict.
async fn scan(front: &Front, code: &str) -> (u16, Value) {
    let sent = front.send(|client, base| {
        let request = client.get(format!("{base}{code}"));
        request.header("user-agent", PHONE).header("accept", "application/json")
    });
    let (status, body) = sent.await.unwrap_or_else(|error| panic!("a scan: {error:?}"));
    let view: Value = serde_json::from_slice(&body).unwrap_or_default();
    (status, view["status"].clone())
}

/// Keeps some batches going until it is told to stop, and then waits until all are whole: whoever waits for this has a bound.
async fn minting(person: Person, stop: Arc<AtomicBool>) -> Vec<Batch> {
    let (mut open, mut done) = (Vec::<Batch>::new(), Vec::new());
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    loop {
        pace.tick().await;
        let stopped = stop.load(Ordering::SeqCst);
        if stopped && open.is_empty() {
            return done;
        }
        while open.len() < AT_ONCE && !stopped {
            open.push(Batch::order(&person, UNITS).await);
        }
        for batch in std::mem::take(&mut open) {
            let list = if batch.is_sealed(&person).await { &mut done } else { &mut open };
            list.push(batch);
        }
    }
}
