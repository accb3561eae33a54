//! The resolver's two roles as they run, against a real Postgres with the logins that they have in production.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod coherence;
mod confirmation;
mod database;
mod images;
mod ledger;
mod lookups;
mod outage;
mod page;
mod privileges;
mod publishing;
mod revocation;
mod rotation;
mod scanning;
mod stage;
mod summaries;
mod telemetry;

use std::future::Future;
use std::time::Duration;

/// Waits for a condition, at most ten seconds.
async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl FnMut() -> F) {
    assert!(within(Duration::from_secs(10), condition).await, "{what} did not come true");
}

/// Whether a condition comes true within the time.
async fn within<F: Future<Output = bool>>(time: Duration, mut condition: impl FnMut() -> F) -> bool {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(time, wait).await.is_ok()
}
