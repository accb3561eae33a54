//! The worker: claims what it has handlers for and runs it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel_async::AsyncPgConnection;
use mintmark_db::{DbConfig, Pool};
use mintmark_fault::{Chain, Fault, Result};
use mintmark_service::Shutdown;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::claimed::Claimed;
use crate::crew::{Crew, ErasedHandler};
use crate::hook::{EndHook, ErasedHook, erase};
use crate::{JobContext, JobFailure, JobKind, metrics, run, store, wake};

/// What interrupted jobs may take to return and to be given back, after the grace.
const DRAIN_TAIL: Duration = Duration::from_secs(6);
/// What is left of a process's last seconds for whatever ends after its jobs: a twentieth.
const LEFT_OVER: u32 = 20;

/// How a worker works.
#[derive(Clone, Copy, Debug)]
pub struct WorkerConfig {
    /// Jobs that run at the same time. Each may need two connections of the pool at once: its own and a heartbeat's.
    pub concurrency: usize,
    /// How long a claim is worth without a heartbeat.
    pub lease: Duration,
    /// How often the table is looked at when nobody calls.
    pub poll: Duration,
}

/// Two jobs at a time, a lease of 30 seconds, a look each second.
impl Default for WorkerConfig {
    fn default() -> Self {
        Self { concurrency: 2, lease: Duration::from_secs(30), poll: Duration::from_secs(1) }
    }
}

/// Claims jobs and runs their handlers. Any number of them, in any number of processes, share one table.
pub struct Worker {
    pool: Pool,
    database: DbConfig,
    config: WorkerConfig,
    grace: Duration,
    tail: Duration,
    backoff: Duration,
    handlers: HashMap<&'static str, ErasedHandler>,
    on_dead: HashMap<&'static str, ErasedHook>,
    on_cancelled: HashMap<&'static str, ErasedHook>,
}

impl Worker {
    /// A worker without handlers. `database` is where it listens, on a connection of its own.
    #[must_use]
    pub fn new(pool: Pool, database: DbConfig, config: WorkerConfig) -> Self {
        Self {
            pool,
            database,
            config,
            grace: Duration::from_secs(10),
            tail: DRAIN_TAIL,
            backoff: Duration::from_secs(1),
            handlers: HashMap::new(),
            on_dead: HashMap::new(),
            on_cancelled: HashMap::new(),
        }
    }

    /// How long running jobs may go on after shutdown is requested; default ten seconds.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Ends within `whole`, what a process may take to drain: running jobs go on for most of it, and in the rest those that
    /// have not ended are interrupted and given back, so that another worker has them at once and not when a lease runs out.
    #[must_use]
    pub fn ends_within(mut self, whole: Duration) -> Self {
        (self.grace, self.tail) = split(whole);
        self
    }

    /// The first pause between two attempts; it doubles up to five minutes. Default one second.
    #[must_use]
    pub fn backoff(mut self, first: Duration) -> Self {
        self.backoff = first;
        self
    }

    /// Runs jobs of kind `K` with `handler`. `Ok` ends the job well, unless the handler has ended it itself.
    #[must_use]
    pub fn handle<K, F, Fut>(mut self, handler: F) -> Self
    where
        K: JobKind,
        F: Fn(Arc<JobContext<K>>, K::Payload) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = std::result::Result<(), JobFailure>> + Send + 'static,
    {
        let erased: ErasedHandler = Arc::new(move |claimed, lease, pool| {
            match serde_json::from_value::<K::Payload>(claimed.payload.clone()) {
                Ok(payload) => Box::pin(handler(Arc::new(JobContext::new(claimed, lease, pool)), payload)),
                Err(error) => {
                    let unreadable = Fault::new(
                        mintmark_fault::Kind::Internal,
                        "JOB_UNREADABLE",
                        "the job was written by another version of the program and cannot be read",
                    );
                    Box::pin(std::future::ready(Err(JobFailure::Fatal(unreadable.caused_by(error)))))
                }
            }
        });
        self.handlers.insert(K::NAME, erased);
        self
    }

    /// What else happens, in the same transaction, when a job of kind `K` becomes a dead letter.
    #[must_use]
    pub fn on_dead<K, F>(mut self, hook: F) -> Self
    where
        K: JobKind,
        for<'r> F: EndHook<&'r mut AsyncPgConnection, K::Payload, Fut: Send> + Send + Sync + 'static,
    {
        self.on_dead.insert(K::NAME, erase::<K, F>(hook));
        self
    }

    /// What else happens, in the same transaction, when a claimed job of kind `K` ends because it was cancelled and its
    /// handler did not end it itself.
    #[must_use]
    pub fn on_cancelled<K, F>(mut self, hook: F) -> Self
    where
        K: JobKind,
        for<'r> F: EndHook<&'r mut AsyncPgConnection, K::Payload, Fut: Send> + Send + Sync + 'static,
    {
        self.on_cancelled.insert(K::NAME, erase::<K, F>(hook));
        self
    }

    /// Works until `shutdown`, then drains: the grace, and a few seconds to give the rest back. Tasks run on `home`.
    /// A database that is away is waited for.
    ///
    /// # Errors
    /// None at present; the signature leaves room for a worker that cannot go on.
    pub async fn run(self, shutdown: Shutdown, home: Handle) -> Result<()> {
        let kinds: Vec<&'static str> = self.handlers.keys().copied().collect();
        let stop = CancellationToken::new();
        let _stop_helpers = stop.clone().drop_guard();
        let wake = Arc::new(Notify::new());
        home.spawn(wake::listen(self.database, home.clone(), kinds.clone(), Arc::clone(&wake), stop.clone()));
        home.spawn(metrics::sample(self.pool.clone(), kinds.clone(), stop));
        let crew = Arc::new(Crew {
            pool: self.pool,
            lease: self.config.lease,
            backoff: self.backoff,
            handlers: self.handlers,
            on_dead: self.on_dead,
            on_cancelled: self.on_cancelled,
            interrupt: CancellationToken::new(),
        });
        let mut hands =
            Hands { crew, kinds, config: self.config, home, running: JoinSet::new(), name: name() };
        hands.work(&shutdown, &wake).await;
        hands.drain(self.grace, self.tail).await;
        Ok(())
    }
}

/// The loop's own state.
struct Hands {
    crew: Arc<Crew>,
    kinds: Vec<&'static str>,
    config: WorkerConfig,
    home: Handle,
    running: JoinSet<()>,
    name: String,
}

impl Hands {
    async fn work(&mut self, shutdown: &Shutdown, wake: &Notify) {
        let mut ended = std::pin::pin!(shutdown.requested());
        while !shutdown.is_requested() {
            while self.running.try_join_next().is_some() {}
            let free = self.config.concurrency.saturating_sub(self.running.len());
            if free > 0 && !self.kinds.is_empty() {
                self.claim(free).await;
            }
            tokio::select! {
                () = &mut ended => {}
                () = wake.notified(), if self.running.len() < self.config.concurrency => {}
                // A free hand may have more to do at once.
                Some(_) = self.running.join_next() => {}
                () = tokio::time::sleep(self.config.poll) => {}
            }
        }
    }

    async fn claim(&mut self, free: usize) {
        let claimed_at = Instant::now();
        let rows = match self.rows(free).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "no jobs could be claimed");
                return;
            }
        };
        for row in rows {
            match Claimed::read(row, &self.kinds) {
                Ok(claimed) => {
                    self.running.spawn_on(run::run(Arc::clone(&self.crew), claimed, claimed_at), &self.home);
                }
                Err(error) => tracing::error!(error = %Chain(&error), "a claimed job cannot be read"),
            }
        }
    }

    async fn rows(&self, free: usize) -> Result<Vec<store::ClaimRow>> {
        let mut conn = self.crew.pool.get().await?;
        let limit = i64::try_from(free).unwrap_or(i64::MAX);
        store::claim(&mut conn, &self.kinds, limit, &self.name, self.config.lease).await
    }

    async fn drain(&mut self, grace: Duration, tail: Duration) {
        if tokio::time::timeout(grace, self.all_ended()).await.is_ok() {
            return;
        }
        tracing::info!(jobs = self.running.len(), "interrupting the jobs that are still running");
        self.crew.interrupt.cancel();
        if tokio::time::timeout(tail, self.all_ended()).await.is_err() {
            tracing::warn!(
                jobs = self.running.len(),
                "some jobs could not be given back; their leases run out"
            );
        }
    }

    async fn all_ended(&mut self) {
        while self.running.join_next().await.is_some() {}
    }
}

/// For people who read the table: which process has a job.
fn name() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    format!("{}/{}", host.trim(), std::process::id())
}

/// Of the time that a process has to drain: how long jobs go on, and how long they may then take to be given back.
fn split(whole: Duration) -> (Duration, Duration) {
    let whole = whole - whole / LEFT_OVER;
    let tail = DRAIN_TAIL.min(whole / 2);
    (whole - tail, tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_leaves_time_to_give_jobs_back_before_the_process_is_cut_off() {
        assert_eq!(split(Duration::from_secs(20)), (Duration::from_secs(13), Duration::from_secs(6)));
        for seconds in 1..=600 {
            let whole = Duration::from_secs(seconds);
            let (grace, tail) = split(whole);
            assert!(grace + tail < whole && tail >= whole / 20 * 9 || tail == DRAIN_TAIL, "{whole:?}");
        }
    }
}
