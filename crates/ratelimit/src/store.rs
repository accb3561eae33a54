//! The counters in Redis: the only place that speaks to it.
//!
//! A decision charges any number of counters, all or none. Alone and behind sentinels that is one script and one round
//! trip (`script.rs`); on a cluster, where each counter may lie on another node, it is one call a counter with a refund
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

use mintmark_fault::Chain;
use mintmark_service::{Context, StartError, telemetry};

pub use config::{RedisConfig, Topology};
pub use counter::{Counter, RedisTime, Verdict};
pub use link::Away;

use connect::Connection;
use failing::Failing;
use link::Link;
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
        let Some(live) = self.0.link.live() else { return Err(Away::Down) };
        let asked_at = Instant::now();
        let decision = async {
            match live.connection() {
                Connection::One(connection) => {
                    script::decide(&mut connection.clone(), counters, asked_at).await
                }
                Connection::Cluster(connection) => {
                    self.0.slots.decide(&mut connection.clone(), counters, asked_at).await
                }
            }
        };
        match tokio::time::timeout(self.0.budget, decision).await {
            Ok(Ok(verdict)) => {
                live.answered();
                self.0.counted(verdict.admitted);
                Ok(verdict)
            }
            Ok(Err(error)) => Err(self.0.failed(self.0.link.refused(&live, error))),
            Err(_elapsed) => Err(self.0.failed(self.0.link.timed_out(&live))),
        }
    }
}

impl Inner {
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
