//! Work that may wait: it computes on threads that the system runs when nobody else wants the processor.
//!
//! Minting a million codes is some seconds of hashing, and a person's scan on the same machine must not notice them. On
//! Linux these threads have the policy `SCHED_IDLE` (sched(7)): whoever wakes up takes the processor from them at once,
//! and a processor that runs nothing else counts as free. On an idle machine they are as fast as any other thread. The
//! policy works inside a control group; between groups their weights decide.

use std::num::NonZero;
use std::sync::OnceLock;

use thread_priority::ThreadPriority;
use thread_priority::unix::{
    NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::StartError;

/// Only its threads for blocking work are used: no task ever runs on it.
static THREADS: OnceLock<Option<Runtime>> = OnceLock::new();

/// Computes on a background thread; there are as many as processors, and what finds none free waits its turn.
///
/// # Panics
/// Outside a tokio runtime, like `spawn_blocking`, where the threads cannot be made.
pub fn spawn_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    match THREADS.get_or_init(|| start().ok()) {
        Some(threads) => threads.spawn_blocking(work),
        // No threads of their own: it is done all the same, only less considerately.
        None => tokio::task::spawn_blocking(work),
    }
}

fn start() -> Result<Runtime, StartError> {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    Builder::new_current_thread()
        .max_blocking_threads(processors)
        .thread_name("background")
        .on_thread_start(give_way)
        .build()
        .map_err(|error| StartError::new("background threads cannot be made").caused_by(error))
}

/// Lets everybody else go first, from now on and for ever: a thread may not raise itself again.
fn give_way() {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
        tracing::debug!(?error, "a background thread keeps its priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thread_priority::unix::thread_schedule_policy;

    #[tokio::test]
    async fn spawn_background_runs_where_everybody_else_goes_first() {
        let policy = spawn_background(|| thread_schedule_policy().unwrap()).await.unwrap();
        assert_eq!(policy, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle));
        let own = thread_schedule_policy().unwrap();
        assert_ne!(own, policy, "nobody else is held back");
    }
}
