//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

/// Looks every 30 ms until something is there; `None` when `within` has passed.
pub async fn until<T>(within: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look().await {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}
