//! The one connection, kept in the background, and the breaker that says when there is none.
//!
//! A decision takes the connection that is there, or fails at once. Whoever finds it broken takes it away; the keeper then
//! tries to make another every tenth of a second, so that Redis's return is noticed within half a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwapOption;
use mintmark_fault::Chain;
use mintmark_service::{Context, StartError};
use redis::{ConnectionAddr, ErrorKind, RedisError, ServerErrorKind};
use tokio::sync::Notify;

use super::config::RedisConfig;
use super::connect::{Connection, Connector};

/// Questions in a row that may exceed the budget before the connection counts as broken, and how long none may have been
/// answered since the first of them: one pause of Redis (a fork, a slow command) exceeds the budget of all that are under
/// way at once, and is not an outage.
const TIMEOUTS: u32 = 3;
const SILENCE: Duration = Duration::from_millis(100);
/// Between two attempts to connect, with up to half of it on top so that replicas do not come all at once.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a connection that nobody complains about is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Why nobody can count now.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Away {
    /// There is no connection.
    #[error("Redis is away")]
    Down,
    /// Redis did not answer within the budget.
    #[error("Redis did not answer within RATE_LIMIT_REDIS_BUDGET_MS")]
    TimedOut,
    /// Redis answered with an error, or the connection broke.
    #[error("Redis refused")]
    Refused(#[source] RedisError),
}

/// The connection, or none. Cheap to clone.
#[derive(Clone)]
pub(super) struct Link(Arc<Shared>);

struct Shared {
    live: ArcSwapOption<Live>,
    lost: Notify,
}

/// A connection that works as far as anybody knows.
pub(super) struct Live {
    connection: Connection,
    address: Option<ConnectionAddr>,
    made: Instant,
    timeouts: AtomicU32,
    /// When the first of these timeouts was, in milliseconds since `made`.
    silent_since: AtomicU64,
}

impl Live {
    fn new(connection: Connection, address: Option<ConnectionAddr>) -> Self {
        let made = Instant::now();
        Self { connection, address, made, timeouts: AtomicU32::new(0), silent_since: AtomicU64::new(0) }
    }

    /// Notes a question without an answer; whether that makes the connection a broken one.
    fn unanswered(&self) -> bool {
        let now = self.made.elapsed();
        let before = self.timeouts.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            // A connection does not live for 2^64 milliseconds.
            self.silent_since.store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        let since = Duration::from_millis(self.silent_since.load(Ordering::Relaxed));
        before + 1 >= TIMEOUTS && now.saturating_sub(since) >= SILENCE
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn answered(&self) {
        // Read first: written for each decision, the counter would travel between the processors' caches.
        if self.timeouts.load(Ordering::Relaxed) != 0 {
            self.timeouts.store(0, Ordering::Relaxed);
        }
    }
}

impl Link {
    /// Keeps a connection on the home runtime until the end.
    pub(super) fn keep(config: &RedisConfig, context: &Context) -> Result<Self, StartError> {
        let connector = Connector::new(config)?;
        let link = Self(Arc::new(Shared { live: ArcSwapOption::empty(), lost: Notify::new() }));
        let (keeper, ended) = (link.clone(), context.shutdown.token());
        context.spawn("redis-link", async move {
            ended.run_until_cancelled(keeper.run(&connector)).await;
        });
        Ok(link)
    }

    pub(super) fn live(&self) -> Option<Arc<Live>> {
        self.0.live.load_full()
    }

    pub(super) fn is_up(&self) -> bool {
        self.0.live.load().is_some()
    }

    /// Redis said no, or the connection broke under the question.
    pub(super) fn refused(&self, live: &Arc<Live>, error: RedisError) -> Away {
        match &live.connection {
            Connection::One(_) if says_go_elsewhere(&error) => self.lose(live),
            Connection::One(_) => {}
            // One node of many may be gone; the others go on, and their answers clear the count.
            Connection::Cluster(_) => self.count_failure(live),
        }
        Away::Refused(error)
    }

    /// No answer within the budget.
    pub(super) fn timed_out(&self, live: &Arc<Live>) -> Away {
        self.count_failure(live);
        Away::TimedOut
    }

    fn count_failure(&self, live: &Arc<Live>) {
        if live.unanswered() {
            self.lose(live);
        }
    }

    fn lose(&self, live: &Arc<Live>) {
        let current = self.0.live.load();
        // Late complaints about an earlier connection say nothing about this one.
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, live)) {
            self.0.live.store(None);
            self.0.lost.notify_one();
        }
    }

    async fn run(self, connector: &Connector) {
        let mut complained = false;
        loop {
            match connector.connect().await {
                Ok((connection, address)) => {
                    let live = Arc::new(Live::new(connection, address));
                    self.0.live.store(Some(Arc::clone(&live)));
                    tracing::info!("Redis is there");
                    complained = false;
                    self.watch(&live, connector).await;
                    tracing::warn!("Redis is away");
                }
                Err(error) if !complained => {
                    complained = true;
                    tracing::warn!(error = %Chain(&error), "Redis cannot be reached; trying until it can");
                }
                Err(_) => {}
            }
            tokio::time::sleep(pause()).await;
        }
    }

    /// Returns when the connection is broken, or goes to the wrong server.
    async fn watch(&self, live: &Arc<Live>, connector: &Connector) {
        loop {
            tokio::select! {
                () = self.0.lost.notified() => {}
                () = tokio::time::sleep(LOOK) => {
                    if !connector.is_right(&live.connection, live.address.as_ref()).await {
                        self.lose(live);
                    }
                }
            }
            let current = self.0.live.load();
            // The notice may be an old one.
            if !current.as_ref().is_some_and(|current| Arc::ptr_eq(current, live)) {
                return;
            }
        }
    }
}

/// Whether a server that answers so will not take charges soon, or is not there at all. One that is out of memory is
/// there: it says so at once, and another connection would hear the same.
pub(super) fn says_go_elsewhere(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(
            ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading,
        ) => true,
        ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::UnexpectedReturnType => false,
        _ => true,
    }
}

fn pause() -> Duration {
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    PAUSE + PAUSE.mul_f64(f64::from(clock.subsec_nanos() % 1_000) / 2_000.0)
}
