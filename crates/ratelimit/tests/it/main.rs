//! The service as it runs, against real Redis servers.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod access;
mod binary;
mod certificates;
mod decisions;
mod envoy;
mod envoy_certificates;
mod envoy_rpc;
mod outages;
mod stage;
mod tls;
mod together;
mod windows;

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
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(time, wait).await.is_ok()
}
