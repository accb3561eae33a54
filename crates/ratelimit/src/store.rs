//! The counters in Redis: the only place that speaks to it.
//!
//! A decision charges any number of counters, all or none. Alone and behind sentinels that is one script and one round
//! trip, also for several decisions (`script.rs`); on a cluster, where each counter may lie on another node, it is one call a counter with a refund
//! (`slots.rs`). `link.rs` keeps the connection, and knows when there is none.

mod config;
mod connect;
mod counter;
mod failing;
mod link;
mod script;
mod slots;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use mintmark_fault::Chain;
use mintmark_service::{Context, StartError, telemetry};
use redis::RedisResult;

pub use config::{RedisConfig, Topology};
pub use counter::{Counter, RedisTime, Verdict};
pub use link::Away;

use connect::Connection;
use failing::Failing;
use link::{Link, Live};
use slots::Slots;

/// The counters. Cheap to clone.
#[derive(Clone)]
pub struct Counters(Arc<Inner>);

struct Inner {
    link: Link,
    budget: Duration,
    slots: Slots,
    failing: Failing,
    /// Whether the log says that decisions fail.
    complained: AtomicBool,
}

impl Counters {
    /// Counters at this Redis, which may be away: the link is kept in the background.
    ///
    /// # Errors
    /// A sentence when the configuration cannot be used.
    pub fn new(config: &RedisConfig, context: &Context) -> Result<Self, StartError> {
        let link = Link::keep(config, context)?;
        let inner = Arc::new(Inner {
            link,
            budget: config.budget,
            slots: Slots::new(),
            failing: Failing::new(),
            complained: AtomicBool::new(false),
        });
        let of = Arc::downgrade(&inner);
        telemetry::meter()
            .u64_observable_gauge("rate_limit_redis_up")
            .with_description("1 while Redis is believed to be there, and to count")
            .with_callback(move |gauge| {
                if let Some(inner) = of.upgrade() {
                    gauge.observe(u64::from(inner.is_up()), &[]);
                }
            })
            .build();
        Ok(Self(inner))
    }

    /// Whether Redis is believed to be there, and to count.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.0.is_up()
    }

    /// Charges every counter its cost, or none when one of them would go over its limit.
    ///
    /// # Errors
    /// Redis is away, did not answer within the budget, or refused. A decision that was cut off by the budget may
    /// still be charged: that costs a caller at most one request, and never admits one.
    pub async fn decide(&self, counters: &[Counter]) -> Result<Verdict, Away> {
        let verdict = self.decide_each(counters, counters.len()).await.pop();
        verdict.unwrap_or_else(|| Err(Away::Refused(script::unexpected())))
    }

    /// The same for several decisions of so many counters `each`, made in turn: an answer for each.
    pub async fn decide_each(&self, counters: &[Counter], each: usize) -> Vec<Result<Verdict, Away>> {
        let decisions = counters.chunks(each.max(1));
        let all = |away: Away| vec![Err(away); decisions.len()];
        let Some(live) = self.0.link.live() else { return all(Away::Down) };
        let asked_at = Instant::now();
        match live.connection() {
            Connection::One(connection) => {
                let mut connection = connection.clone();
                let asking = script::decide(&mut connection, counters, each, asked_at);
                match self.0.within_budget(&live, asking).await {
                    Ok(verdicts) => verdicts.into_iter().map(Ok).collect(),
                    Err(away) => all(away),
                }
            }
            // One node of many may be gone: each decision has its own end.
            Connection::Cluster(connection) => {
                join_all(decisions.map(async |counters| {
                    let mut connection = connection.clone();
                    let asking = async {
                        let verdict = self.0.slots.decide(&mut connection, counters, asked_at).await;
                        verdict.map(|verdict| [verdict])
                    };
                    self.0.within_budget(&live, asking).await.map(|[verdict]| verdict)
                }))
                .await
            }
        }
    }
}

impl Inner {
    async fn within_budget<V: AsRef<[Verdict]>>(
        &self,
        live: &Arc<Live>,
        asking: impl Future<Output = RedisResult<V>>,
    ) -> Result<V, Away> {
        match tokio::time::timeout(self.budget, asking).await {
            Ok(Ok(verdicts)) => {
                live.answered();
                self.counted(verdicts.as_ref().iter().any(|verdict| verdict.admitted));
                Ok(verdicts)
            }
            Ok(Err(error)) => Err(self.failed(self.link.refused(live, error))),
            Err(_elapsed) => Err(self.failed(self.link.timed_out(live))),
        }
    }

    fn is_up(&self) -> bool {
        self.link.is_up() && !self.failing.is_so()
    }

    /// One line when Redis is there and decides nothing; the link says it when Redis is gone.
    fn failed(&self, away: Away) -> Away {
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
