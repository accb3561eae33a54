//! People who scan, somebody who mints and exports, and those who run errands, all the while.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mintmark_ids::BatchId;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::errands;
use crate::eventually;
use crate::front::Front;
use crate::person::{Person, text};
use crate::replica::Replica;
use crate::schema::connect;
use crate::stage::Stage;
use crate::work::{Progress, Work};

const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
/// Between two requests of one person.
const EVERY: Duration = Duration::from_millis(20);
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
    progress: Arc<Progress>,
    people: Vec<JoinHandle<()>>,
    minter: JoinHandle<Vec<Batch>>,
    first: Batch,
    exported: Vec<String>,
}

/// What came of it.
pub struct Outcome {
    pub progress: Arc<Progress>,
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
        let progress = Arc::new(Progress::default());
        let people = (0..PEOPLE)
            .map(|which| tokio::spawn(scanning(stage.scans.clone(), codes[which].clone(), progress.clone())));
        let mut people: Vec<_> = people.collect();
        let person = || stage.person.clone();
        let view = format!("/v1/batches/{}", first.id);
        people.push(tokio::spawn(reading(person(), view, progress.clone())));
        let (gateways, consoles) = (stage.gateways.clone(), stage.consoles.clone());
        people.push(tokio::spawn(errands::preflighting(person(), gateways, progress.clone())));
        people.push(tokio::spawn(errands::browsing(person(), consoles, progress.clone())));
        let minter = tokio::spawn(minting(person(), progress.clone()));
        Self { progress, people, minter, first, exported }
    }

    /// What this version's newest tables are for begins when they are there.
    pub fn dispute(&mut self, stage: &Stage) {
        self.people.push(tokio::spawn(errands::disputing(stage.person.clone(), self.progress.clone())));
    }

    /// Waits for more of something, and of what everybody does; whoever has failed meanwhile says so here.
    pub async fn goes_on(&mut self, stage: &Stage, with: &[Work]) {
        let mut goals = Vec::new();
        for work in [&[Work::Scans, Work::Requests][..], with].concat() {
            goals.push(self.progress.goal(&stage.databases, work).await);
        }
        eventually(&format!("scans, requests and {with:?} go on"), async || {
            if self.minter_failed() || self.people.iter().any(JoinHandle::is_finished) {
                return Some(());
            }
            for goal in &goals {
                if !self.progress.has_reached(goal).await {
                    return None;
                }
            }
            Some(())
        })
        .await;
        for task in self.people.iter_mut().filter(|task| task.is_finished()) {
            task.await.unwrap();
        }
        if self.minter_failed() {
            (&mut self.minter).await.unwrap();
        }
    }

    /// Nothing that follows needs batches: those that were begun come to their end meanwhile.
    pub fn stop_ordering(&self) {
        self.progress.stop_ordering();
    }

    fn minter_failed(&self) -> bool {
        self.minter.is_finished() && self.progress.orders()
    }

    /// Waits until a batch is under way that this process has a part in, by this very process where it mints.
    pub async fn is_minting(&self, stage: &Stage, replica: &Replica) {
        if !replica.mints() && !replica.publishes() {
            return;
        }
        let control = connect(&stage.databases.control.superuser_url()).await;
        let resolver = connect(&stage.databases.resolver.superuser_url()).await;
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
        self.progress.stop_ordering();
        self.progress.stop();
        for person in self.people {
            person.await.unwrap();
        }
        let minted = tokio::time::timeout(ENDED_WITHIN, self.minter).await;
        let mut batches = minted.expect("the last batches are sealed in time").unwrap();
        assert_eq!(export(&stage.person, &self.first).await, self.exported, "the same pack as before");
        batches.push(self.first);
        Outcome { progress: self.progress, batches }
    }
}

async fn scanning(front: Arc<Front>, code: String, progress: Arc<Progress>) {
    let mut pace = tokio::time::interval(EVERY);
    while !progress.stopped() {
        pace.tick().await;
        let answer = scan(&front, &code).await;
        let made = progress.one_more(Work::Scans);
        assert_eq!(answer, (200, json!("genuine")), "scan {made}");
    }
}

/// Looks at a batch again and again; each request is counted by the rate limiter.
async fn reading(person: Person, path: String, progress: Arc<Progress>) {
    let mut pace = tokio::time::interval(EVERY);
    while !progress.stopped() {
        pace.tick().await;
        assert_eq!(person.get(&path).await["state"], "sealed");
        progress.one_more(Work::Requests);
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

/// Keeps some batches going until it is told to order no more, and then waits until all are whole: whoever waits for this has a bound.
async fn minting(person: Person, progress: Arc<Progress>) -> Vec<Batch> {
    let (mut open, mut done) = (Vec::<Batch>::new(), Vec::new());
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    loop {
        pace.tick().await;
        let orders = progress.orders();
        if !orders && open.is_empty() {
            return done;
        }
        while open.len() < AT_ONCE && orders {
            open.push(Batch::order(&person, UNITS).await);
        }
        for batch in std::mem::take(&mut open) {
            let list = if batch.is_sealed(&person).await { &mut done } else { &mut open };
            list.push(batch);
        }
    }
}
