//! The public plane apart from the private one; and what concurrency and restores cannot break.
//!
//! Everything here runs on processes and databases of its own ([`estate`]): both databases in one Postgres, as an operator
//! may well have them, so that only privileges keep the planes apart.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod apart;
mod attempts;
mod calls;
mod collector;
mod estate;
mod half;
mod once;
mod orders;
mod outage;
mod privileges;
mod restore;
mod shop;
mod traces;
mod walk;

use std::time::{Duration, Instant};

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a condition, for a bounded time.
async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
