//! The edge and the client against each other, over real connections.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod authentication;
mod calls;
mod client;
mod control_plane;
mod directory;
mod edge;
mod going_away;
mod limits;
mod open_methods;
mod replicas;
mod tls;

use std::future::Future;
use std::time::Duration;

/// Waits for a condition, at most ten seconds.
async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let wait = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), wait).await.is_ok(), "{what} did not come true");
}
