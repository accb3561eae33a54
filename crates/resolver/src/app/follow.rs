//! Keeps the state of publications in step with the directory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mintmark_fault::Chain;
use mintmark_service::Context;

use super::directory_state::DirectoryState;
use super::peppers::Peppers;
use crate::store::scan::ScanStore;

/// How often the change counter is read; with the pause, a change is known within two seconds (DESIGN §6).
const EVERY: Duration = Duration::from_secs(1);
/// The pause while the database does not answer: at the start, and after an outage, it matters to be back soon.
const EVERY_WHILE_AWAY: Duration = Duration::from_millis(100);

/// Reads what changed each second, until the process ends, and keeps the gates `postgres` and `state`.
pub async fn follow(state: Arc<DirectoryState>, store: ScanStore, peppers: Peppers, context: Context) {
    let (database, fresh) = (context.health.gate("postgres"), context.health.gate("state"));
    let mut was_up = false;
    loop {
        let asked_at = Instant::now();
        let answer = store.changes_since(state.counter(), &peppers).await;
        let up = answer.is_ok();
        match answer {
            Ok(changes) => state.apply(asked_at, changes),
            Err(fault) if was_up => {
                tracing::warn!(error = %Chain(&fault), "the state of publications is not confirmed");
            }
            Err(_) => {}
        }
        if up && !was_up {
            tracing::info!("the state of publications is confirmed");
        }
        was_up = up;
        database.set(up);
        fresh.set(state.fresh().is_some());
        tokio::time::sleep(if up { EVERY } else { EVERY_WHILE_AWAY }).await;
    }
}
