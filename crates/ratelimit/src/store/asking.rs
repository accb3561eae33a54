//! One question to Redis within its budget, and what its end says about Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use mintmark_fault::Chain;
use mintmark_service::telemetry;
use redis::RedisResult;

use super::connect::Connection;
use super::counter::{Counter, Verdict};
use super::failing::Failing;
use super::link::{Away, Link, Live, says_go_elsewhere};
use super::script;

/// Asks Redis.
pub(super) struct Asking {
    pub(super) link: Link,
    pub(super) budget: Duration,
    failing: Failing,
    /// Whether the log says that decisions fail.
    complained: AtomicBool,
}

impl Asking {
    pub(super) fn new(link: Link, budget: Duration) -> Self {
        Self { link, budget, failing: Failing::new(), complained: AtomicBool::new(false) }
    }

    pub(super) fn is_up(&self) -> bool {
        self.link.is_up() && !self.failing.is_so()
    }

    /// Decisions of so many counters `each`, in one run of the script: an answer for each.
    pub(super) async fn decide(&self, counters: &[Counter], each: usize) -> Vec<Result<Verdict, Away>> {
        match self.run(counters, each).await {
            Ok(verdicts) => verdicts.into_iter().map(Ok).collect(),
            // A counter that somebody else wrote over is not to cost the others their decisions.
            Err(Away::Refused(error)) if counters.len() > each && !says_go_elsewhere(&error) => {
                let alone = async |counters: &[Counter]| {
                    let mut verdicts = self.run(counters, each).await?;
                    verdicts.pop().ok_or_else(|| Away::Refused(script::unexpected()))
                };
                join_all(counters.chunks(each).map(alone)).await
            }
            Err(away) => vec![Err(away); counters.len() / each],
        }
    }

    async fn run(&self, counters: &[Counter], each: usize) -> Result<Vec<Verdict>, Away> {
        let Some(live) = self.link.live() else { return Err(Away::Down) };
        let Connection::One(connection) = live.connection() else { return Err(Away::Down) };
        let mut connection = connection.clone();
        let asked = script::decide(&mut connection, counters, each, Instant::now());
        self.within_budget(&live, asked).await
    }

    /// What is asked on this connection, as long as it may take.
    pub(super) async fn within_budget<V: AsRef<[Verdict]>>(
        &self,
        live: &Arc<Live>,
        asked: impl Future<Output = RedisResult<V>>,
    ) -> Result<V, Away> {
        match tokio::time::timeout(self.budget, asked).await {
            Ok(Ok(verdicts)) => {
                live.answered();
                self.counted(verdicts.as_ref().iter().any(|verdict| verdict.admitted));
                Ok(verdicts)
            }
            Ok(Err(error)) => Err(self.failed(self.link.refused(live, error))),
            Err(_elapsed) => Err(self.failed(self.link.timed_out(live))),
        }
    }

    /// One line when Redis is there and decides nothing; the link says it when Redis is gone.
    pub(super) fn failed(&self, away: Away) -> Away {
        self.failing.failed(&away);
        if !self.complained.load(Ordering::Relaxed)
            && let Some(held_back) = telemetry::unavailable_line("REDIS_DECISIONS")
            && !self.complained.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(error = %Chain(&away), held_back, "Redis gives no decisions");
        }
        away
    }

    /// One line when it decides again.
    fn counted(&self, admitted: bool) {
        self.failing.decided(admitted);
        // Read first: written for each decision, the flag would travel between the processors' caches.
        if self.complained.load(Ordering::Relaxed) && self.complained.swap(false, Ordering::Relaxed) {
            tracing::info!("Redis gives decisions again");
        }
    }
}
