//! The decision on a cluster, where the counters of one request may lie on different nodes.
//!
//! What atomicity remains: each counter by itself is exact. The last counter (the key's) is charged first and the first
//! (the tenant's) last; when one refuses, those charged before it get their charge back. So nothing is ever admitted
//! beyond a limit; while a charge waits for its refund, another request may be refused that would have passed; and a limiter
//! or node that dies between the two leaves a charge that admitted nothing, until its window ends.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime};

use redis::RedisResult;
use redis::aio::ConnectionLike;

use super::counter::{Counter, RedisTime, Verdict};
use super::script::{Script, count, limit, time, unexpected};

static DECIDE_SLOT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("decide_slot.lua")));
static REFUND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("refund.lua")));

/// Guesses of the window's start that are put right before we give up: one at an edge, one more should that be slow.
const GUESSES: usize = 3;

/// Decides counter by counter.
pub(super) struct Slots {
    /// How far Redis's clock is ahead of ours, in microseconds: the key's name must be known before its node is asked.
    ahead_micros: AtomicI64,
}

/// What one node said about one counter.
struct Said {
    key: String,
    now: RedisTime,
    admitted: bool,
    used: u64,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self { ahead_micros: AtomicI64::new(0) }
    }

    pub(super) async fn decide<C: ConnectionLike>(
        &self,
        connection: &mut C,
        counters: &[Counter],
        asked_at: Instant,
    ) -> RedisResult<Verdict> {
        let mut said: Vec<Said> = Vec::with_capacity(counters.len());
        for counter in counters.iter().rev() {
            // After a refusal the others are only looked at, to say whether they refuse too.
            let refused = said.iter().any(|said| !said.admitted);
            match self.ask(connection, counter, refused).await {
                Ok(answer) => said.push(answer),
                Err(error) => {
                    refund(connection, counters, &mut said).await;
                    return Err(error);
                }
            }
        }
        let admitted = said.iter().all(|said| said.admitted);
        if !admitted {
            refund(connection, counters, &mut said).await;
        }
        said.reverse();
        let now = said.first().map(|said| said.now).ok_or_else(unexpected)?;
        // All but the first are charged before the decision is made.
        let may_fall = (0..said.len()).map(|index| index > 0).collect();
        Ok(Verdict { admitted, used: said.iter().map(|said| said.used).collect(), now, asked_at, may_fall })
    }

    async fn ask<C: ConnectionLike>(
        &self,
        connection: &mut C,
        counter: &Counter,
        only_look: bool,
    ) -> RedisResult<Said> {
        for _ in 0..GUESSES {
            let start = self.now() / counter.window_secs.max(1) * counter.window_secs.max(1);
            let key = format!("{}:{start}", counter.name);
            let numbers = DECIDE_SLOT
                .run(connection, &[&key], |command| {
                    command.arg(counter.window_secs).arg(limit(counter)).arg(counter.cost);
                    command.arg(start).arg(u8::from(only_look));
                })
                .await?;
            let &[secs, micros, became, used] = numbers.as_slice() else { return Err(unexpected()) };
            let now = time(secs, micros);
            self.learn(now);
            if became != 2 {
                return Ok(Said { key, now, admitted: became == 1, used: count(used) });
            }
        }
        Err(unexpected())
    }

    /// Redis's clock as far as we know it, in whole seconds.
    fn now(&self) -> u64 {
        let micros = local_micros().saturating_add(self.ahead_micros.load(Ordering::Relaxed));
        u64::try_from(micros / 1_000_000).unwrap_or_default()
    }

    fn learn(&self, now: RedisTime) {
        let theirs =
            i64::try_from(now.secs).unwrap_or_default().saturating_mul(1_000_000) + i64::from(now.micros);
        self.ahead_micros.store(theirs - local_micros(), Ordering::Relaxed);
    }
}

/// Gives back what was charged, as far as it was; `said` then shows what is left.
async fn refund<C: ConnectionLike>(connection: &mut C, counters: &[Counter], said: &mut [Said]) {
    let refused = said.iter().position(|said| !said.admitted).unwrap_or(said.len());
    for (said, counter) in said.iter_mut().zip(counters.iter().rev()).take(refused) {
        if counter.cost == 0 {
            continue;
        }
        let keys = [said.key.as_str()];
        let given = REFUND.run(connection, &keys, |command| {
            command.arg(counter.cost);
        });
        match given.await {
            Ok(_) => said.used = said.used.saturating_sub(counter.cost),
            Err(error) => tracing::debug!(%error, "a charge could not be given back; its window ends it"),
        }
    }
}

fn local_micros() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
