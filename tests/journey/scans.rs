//! Scans by people appear in the brand's figures, by day and country; those of crawlers do not.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mintmark_tests::{Home, Platform};
use reqwest::Client;
use serde_json::Value;

const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
const CRAWLER: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
/// Addresses whose countries have been the same for decades.
const GERMAN: &str = "194.25.0.60";
const AMERICAN: &str = "18.0.22.69";

/// Half a second in the buffer, a second to the sums, two to the control plane, and what a busy machine adds.
const COUNTED_WITHIN: Duration = Duration::from_secs(30);

struct Brand {
    client: Client,
    variables: BTreeMap<String, String>,
}

impl Brand {
    async fn scan(&self, code: &str, agent: &str, from: &str) -> u16 {
        let url = format!(
            "{}/01/{}/21/{code}",
            self.variables["MINTMARK_SCAN_URL"], self.variables["MINTMARK_GTIN"]
        );
        let request = self.client.get(url).header("user-agent", agent).header("accept", "application/json");
        request.header("x-forwarded-for", from).send().await.unwrap().status().as_u16()
    }

    async fn report(&self, of: &str) -> Value {
        let url = format!("{}/v1/{of}/scans", self.variables["MINTMARK_CONTROL_URL"]);
        let session = &self.variables["MINTMARK_SESSION"];
        let response = self.client.get(url).bearer_auth(session).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    async fn of_batch(&self) -> Value {
        self.report(&format!("batches/{}", self.variables["MINTMARK_BATCH"])).await
    }
}

fn of_country(report: &Value, country: &str) -> u64 {
    let rows = report["byCountry"].as_array().unwrap();
    rows.iter().find(|row| row["country"] == country).map_or(0, |row| row["scans"].as_u64().unwrap())
}

fn scans(report: &Value) -> u64 {
    report["totals"]["scans"].as_u64().unwrap()
}

#[tokio::test]
async fn scans_by_people_appear_in_the_figures_of_their_batch() {
    let home = Home::new().unwrap();
    let trusted = [("SCAN_TRUSTED_PROXIES", "127.0.0.0/8")];
    let platform = Platform::start_with(&home, &["--units", "50"], &trusted).unwrap();
    assert!(platform.printed().contains("what the brand sees"), "{}", platform.printed());
    // The first call wins; a further one changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().build().unwrap();
    let brand = Brand { client, variables: home.dev_env().unwrap() };
    let code = brand.variables["MINTMARK_CODE"].clone();
    let before = brand.of_batch().await;

    for _ in 0..4 {
        assert_eq!(brand.scan(&code, CRAWLER, GERMAN).await, 200);
    }
    for _ in 0..3 {
        assert_eq!(brand.scan(&code, PHONE, GERMAN).await, 200);
    }
    for _ in 0..2 {
        assert_eq!(brand.scan(&code, PHONE, AMERICAN).await, 200);
    }
    let deadline = Instant::now() + COUNTED_WITHIN;
    let after = loop {
        let report = brand.of_batch().await;
        if scans(&report) >= scans(&before) + 5 {
            break report;
        }
        assert!(
            Instant::now() < deadline,
            "five more scans than {before:#} were made, and are not in {report:#}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(scans(&after), scans(&before) + 5, "crawlers are not counted");
    assert_eq!(of_country(&after, "DE"), of_country(&before, "DE") + 3, "{after:#}");
    assert_eq!(of_country(&after, "US"), of_country(&before, "US") + 2, "{after:#}");
    assert_eq!(
        after["totals"]["firstActivations"], before["totals"]["firstActivations"],
        "it was activated before"
    );
    let days = after["byDay"].as_array().unwrap();
    let today = after["to"].as_str().unwrap();
    assert_eq!(days.iter().map(|day| day["scans"].as_u64().unwrap()).sum::<u64>(), scans(&after));
    assert!(days.iter().any(|day| day["day"] == today), "{after:#}");

    let of_brand = brand.report(&format!("brands/{}", brand.variables["MINTMARK_BRAND"])).await;
    assert!(scans(&of_brand) > scans(&after), "the demonstration's unknown code counts for the brand alone");
    let products = of_brand["byProduct"].as_array().unwrap();
    assert!(
        products.iter().any(|product| product["productId"] == brand.variables["MINTMARK_PRODUCT"].as_str())
    );
}
