//! The counters in Redis: the only place that speaks to it.
//!
//! A decision charges any number of counters, all or none. Alone and behind sentinels that is one script and one round
//! trip (`script.rs`), also for the decisions of all calls that come at once (`together.rs`); on a cluster, where each counter
//! may lie on another node, it is one call a counter with a refund (`slots.rs`). `link.rs` keeps the connection, and knows
//! when there is none.

mod asking;
mod config;
mod connect;
mod counter;
mod failing;
mod link;
mod script;
mod slots;
mod together;

use std::sync::Arc;
use std::time::Instant;

use futures::future::join_all;
use mintmark_service::{Context, StartError, telemetry};

pub use config::{RedisConfig, Topology};
pub use counter::{Counter, RedisTime, Verdict};
pub use link::Away;

use asking::Asking;
use connect::Connection;
use link::Link;
use slots::Slots;
use together::Together;

/// The counters. Cheap to clone.
#[derive(Clone)]
pub struct Counters(Arc<Inner>);

struct Inner {
    asking: Arc<Asking>,
    together: Together,
    slots: Slots,
}

impl Counters {
    /// Counters at this Redis, which may be away: the link is kept in the background.
    ///
    /// # Errors
    /// A sentence when the configuration cannot be used.
    pub fn new(config: &RedisConfig, context: &Context) -> Result<Self, StartError> {
        let link = Link::keep(config, context)?;
        let asking = Arc::new(Asking::new(link, config.budget));
        let of = Arc::downgrade(&asking);
        telemetry::meter()
            .u64_observable_gauge("rate_limit_redis_up")
            .with_description("1 while Redis is believed to be there, and to count")
            .with_callback(move |gauge| {
                if let Some(asking) = of.upgrade() {
                    gauge.observe(u64::from(asking.is_up()), &[]);
                }
            })
            .build();
        let together = Together::new(Arc::clone(&asking));
        Ok(Self(Arc::new(Inner { asking, together, slots: Slots::new() })))
    }

    /// Whether Redis is believed to be there, and to count.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.0.asking.is_up()
    }

    /// Charges every counter its cost, or none when one of them would go over its limit.
    ///
    /// # Errors
    /// Redis is away, did not answer within the budget, or refused. A decision that was cut off by the budget may
    /// still be charged: that costs a caller at most one request, and never admits one.
    pub async fn decide(&self, counters: Vec<Counter>) -> Result<Verdict, Away> {
        let each = counters.len();
        let verdict = self.decide_each(counters, each).await.pop();
        verdict.unwrap_or_else(|| Err(Away::Refused(script::unexpected())))
    }

    /// The same for several decisions of so many counters `each`, made in turn: an answer for each.
    pub async fn decide_each(&self, counters: Vec<Counter>, each: usize) -> Vec<Result<Verdict, Away>> {
        let Inner { asking, together, slots } = &*self.0;
        let each = each.max(1);
        let decisions = counters.len() / each;
        let Some(live) = asking.link.live() else { return vec![Err(Away::Down); decisions] };
        match live.connection() {
            Connection::One(_) => together.decide(counters, each).await,
            // One node of many may be gone: each decision has its own end.
            Connection::Cluster(connection) => {
                let asked_at = Instant::now();
                join_all(counters.chunks(each).map(async |counters| {
                    let mut connection = connection.clone();
                    let asked = async {
                        let verdict = slots.decide(&mut connection, counters, asked_at).await;
                        verdict.map(|verdict| [verdict])
                    };
                    asking.within_budget(&live, asked).await.map(|[verdict]| verdict)
                }))
                .await
            }
        }
    }
}
