//! Scans by a person, counted: each of them must be in the telemetry or among what was dropped and counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;

const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";

pub struct Scans {
    client: Client,
    base: String,
    made: AtomicU64,
}

impl Scans {
    pub fn of(client: &Client, base: String) -> Self {
        Self { client: client.clone(), base, made: AtomicU64::new(0) }
    }

    /// How many were made.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Opens what a printed symbol says, which must be answered.
    pub async fn scan(&self, uri: &str) -> (u16, Value) {
        assert!(uri.starts_with(&self.base), "{uri} leads elsewhere");
        let request = self.client.get(uri).header("user-agent", PHONE).header("accept", "application/json");
        let answer = request.timeout(Duration::from_secs(10)).send().await.unwrap();
        self.made.fetch_add(1, Ordering::Relaxed);
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }
}
