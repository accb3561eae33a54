//! Operations on a published batch, on real processes: reveal, recall a code, recall the batch, destroy its secret.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mintmark_tests::{Home, Platform};
use reqwest::Client;
use serde_json::{Value, json};

/// A recall is seen by every replica within two seconds; a busy machine adds some.
const SEEN_WITHIN: Duration = Duration::from_secs(5);

struct Operator {
    client: Client,
    variables: BTreeMap<String, String>,
}

impl Operator {
    fn url(&self, rest: &str) -> String {
        format!(
            "{}/v1/batches/{}{rest}",
            self.variables["MINTMARK_CONTROL_URL"], self.variables["MINTMARK_BATCH"]
        )
    }

    async fn post(&self, rest: &str, body: Value) -> (u16, Value) {
        let request = self.client.post(self.url(rest)).bearer_auth(&self.variables["MINTMARK_SESSION"]);
        let response = request.json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn code(&self, serial: u64) -> String {
        let (status, body) = self.post(&format!("/tokens/{serial}/reveal"), json!({})).await;
        assert_eq!(status, 200, "{body}");
        body["code"].as_str().unwrap().to_owned()
    }

    async fn verdict(&self, code: &str) -> String {
        let url = format!("{}/{code}", self.variables["MINTMARK_SCAN_URL"]);
        let response = self.client.get(url).header("accept", "application/json").send().await.unwrap();
        response.json::<Value>().await.unwrap()["status"].as_str().unwrap().to_owned()
    }

    async fn becomes(&self, code: &str, verdict: &str) {
        let deadline = Instant::now() + SEEN_WITHIN;
        while self.verdict(code).await != verdict {
            assert!(Instant::now() < deadline, "the code did not become '{verdict}' in time");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn recalls_reach_the_scan_service_and_a_destroyed_secret_ends_exports() {
    let home = Home::new().unwrap();
    let platform = Platform::start(&home, &["--units", "20"]).unwrap();
    // The first call wins; a further one changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().build().unwrap();
    let operator = Operator { client, variables: home.dev_env().unwrap() };
    let (one, other) = (operator.code(5).await, operator.code(6).await);
    assert_eq!(operator.verdict(&one).await, "genuine");

    let codes = json!({ "codes": [one], "reason": "stolen from the press" });
    let (status, body) = operator.post("/codes/revoke", codes).await;
    assert_eq!((status, body["revoked"].as_u64()), (200, Some(1)), "{body}");
    operator.becomes(&one, "recalled").await;
    assert_eq!(operator.verdict(&other).await, "genuine", "the others stay");

    let (status, body) = operator.post("/cancel", json!({})).await;
    assert_eq!((status, body["code"].as_str()), (409, Some("BATCH_SEALED")), "{body}");
    let (status, body) = operator.post("/revoke", json!({ "reason": "misprint" })).await;
    assert_eq!((status, body["state"].as_str()), (200, Some("revoked")), "{body}");
    operator.becomes(&other, "recalled").await;

    let confirm = json!({ "confirm": operator.variables["MINTMARK_BATCH"] });
    let (status, body) = operator.post("/secret/destroy", confirm).await;
    assert_eq!(status, 200, "{body}");
    for (rest, body) in [("/exports", json!({ "formats": ["csv"] })), ("/tokens/7/reveal", json!({}))] {
        let (status, answer) = operator.post(rest, body).await;
        assert_eq!((status, answer["code"].as_str()), (409, Some("BATCH_SECRET_DESTROYED")), "{answer}");
    }
    ends_with_its_database(platform);
}

/// Nothing works without it: the launcher does not stand there as if all were well, and takes the rest down.
fn ends_with_its_database(mut platform: Platform) {
    let printed = platform.printed();
    let cluster = printed.lines().find_map(|line| line.split_once("private cluster in ")).unwrap().1.trim();
    let lock = std::fs::read_to_string(Path::new(cluster).join("postmaster.pid")).unwrap();
    let killed = Command::new("kill").args(["-KILL", lock.lines().next().unwrap()]).status().unwrap();
    assert!(killed.success());
    assert!(!platform.ended().unwrap().success());
    let printed = platform.printed();
    let why = printed.lines().find(|line| line.contains("Postgres ended by itself")).unwrap();
    let (_, log) = why.split_once("its log says why: ").unwrap();
    let log = std::fs::read_to_string(log).unwrap_or_else(|error| panic!("{log}: {error}"));
    assert!(log.contains("database system is ready to accept connections"), "{log}");
}
