//! What people do beside scanning and minting: files are preflighted, pages looked at, evidence uploaded and read. Nothing is
//! tried twice: each request must succeed at once.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::front::Front;
use crate::keys::FILE;
use crate::person::{Person, ask, text};
use crate::work::{Progress, Work};

/// Between two of one kind.
const EVERY: Duration = Duration::from_millis(50);
/// A worker that waits for its turn on a busy machine, and an engine that starts.
const ENDED_WITHIN: Duration = Duration::from_secs(60);
/// Some pieces of an upload, and some chunks of the vault's.
const BYTES: usize = 300_001;

/// Submits a job, waits for its verdict, fetches its report; again and again.
pub async fn preflighting(person: Person, gateways: Arc<Front>, progress: Arc<Progress>) {
    let mut pace = tokio::time::interval(EVERY);
    while !progress.stopped() {
        pace.tick().await;
        let name = format!("upgrade-{}", progress.of(Work::Preflight));
        let token = person.preflight_token().await;
        let jobs = "/api/v2/jobs";
        let order = json!({ "jobId": name, "targetFile": FILE });
        ask(&gateways, jobs, |client, base| {
            client.post(format!("{base}{jobs}")).bearer_auth(&token).json(&order)
        })
        .await;
        let path = format!("{jobs}/{name}");
        let job = tokio::time::timeout(ENDED_WITHIN, ended(&gateways, &path, &token)).await;
        let job = job.expect("a preflight job ends in time");
        assert_eq!((&job["state"], &job["verdict"]), (&json!("succeeded"), &json!("pass")), "{job:#}");
        let path = format!("/api/preflight/jobs/{name}/report");
        let report =
            ask(&gateways, &path, |client, base| client.get(format!("{base}{path}")).bearer_auth(&token));
        assert_eq!(report.await["verdict"], "pass");
        progress.one_more(Work::Preflight);
    }
}

/// A job when it has ended.
async fn ended(gateways: &Front, path: &str, token: &str) -> Value {
    let mut pace = tokio::time::interval(EVERY);
    loop {
        pace.tick().await;
        let job = ask(gateways, path, |client, base| client.get(format!("{base}{path}")).bearer_auth(token));
        let job = job.await;
        if !["queued", "running"].contains(&text(&job, "state").as_str()) {
            return job;
        }
    }
}

/// Looks at the console's list of policies, each time with a token that it has not exchanged before.
pub async fn browsing(person: Person, consoles: Arc<Front>, progress: Arc<Progress>) {
    let mut pace = tokio::time::interval(EVERY);
    let path = "/api/preflight/jobs/policies";
    while !progress.stopped() {
        pace.tick().await;
        let token = person.preflight_token().await;
        let shown =
            ask(&consoles, path, |client, base| client.get(format!("{base}{path}")).bearer_auth(&token));
        assert!(shown.await["items"].as_array().is_some_and(|policies| !policies.is_empty()));
        progress.one_more(Work::Pages);
    }
}

/// Opens a dispute, uploads evidence to it, and reads it, and the very first record once more.
pub async fn disputing(person: Person, progress: Arc<Progress>) {
    let mut pace = tokio::time::interval(EVERY);
    let mut first = None;
    while !progress.stopped() {
        pace.tick().await;
        let number = progress.of(Work::Evidence);
        let (reference, key) = (format!("CASE-{number}"), format!("evidence-{number}"));
        let dispute = person.post("/v1/disputes", Some(&reference), &json!({ "reference": reference })).await;
        let record = person.upload(&text(&dispute, "id"), &key, &content(number)).await;
        assert!(person.evidence(&record).await == content(number), "{record} of {reference}");
        let first = first.get_or_insert(record);
        assert!(person.evidence(first).await == content(0), "the first record, after {reference}");
        progress.one_more(Work::Evidence);
    }
}

/// Differs from record to record.
fn content(number: u64) -> Vec<u8> {
    let seed = number.wrapping_mul(0x9E37_79B9) as usize;
    (0..BYTES).map(|at| ((at ^ seed).wrapping_mul(2_654_435_761) >> 7) as u8).collect()
}
