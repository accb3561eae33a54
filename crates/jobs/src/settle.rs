//! Writing down how an attempt ended.

use std::time::{Duration, Instant, SystemTime};

use diesel_async::AsyncPgConnection;
use mintmark_db::transaction;
use mintmark_fault::{Chain, Fault, Kind, Result};

use crate::claimed::Claimed;
use crate::crew::Crew;
use crate::store;

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Between tries to write an end down while the database is away.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// How an attempt ended.
pub(crate) enum Ending {
    Succeeded,
    /// Failed; may be tried again.
    Retry(Fault),
    /// Failed for good.
    Fatal(Fault),
    /// The process stops before the job could end.
    Interrupted,
}

/// What an attempt came to: the label of a metric, and for four of them the state in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded,
    Cancelled,
    Dead,
    /// Waits for another attempt.
    Retried,
    /// Given back to the queue.
    Released,
    /// The claim was over; whatever happened, another worker decides.
    Lost,
}

impl Outcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Cancelled => "cancelled",
            Self::Dead => "dead",
            Self::Retried => "retried",
            Self::Released => "released",
            Self::Lost => "lost",
        }
    }
}

/// Writes an ending down and returns what it came to. Tries for one lease while the database is away;
/// after that the lease runs out by itself and the next worker begins.
///
/// A hook that fails keeps the job from ending, and it comes back with the next claim: an error in a hook must not leave
/// the service's rows behind.
pub(crate) async fn settle(crew: &Crew, claimed: &Claimed, ending: &Ending) -> Outcome {
    let until = Instant::now() + crew.lease;
    loop {
        match settle_once(crew, claimed, ending).await {
            Ok(outcome) => return outcome,
            Err(error) if error.kind() == Kind::Unavailable && Instant::now() < until => {
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the end of a job could not be written down");
                return Outcome::Lost;
            }
        }
    }
}

async fn settle_once(crew: &Crew, claimed: &Claimed, ending: &Ending) -> Result<Outcome> {
    let mut conn = crew.pool.get().await?;
    transaction("jobs.settle", &mut conn, async |conn: &mut AsyncPgConnection| {
        let Some(row) = store::lock(conn, claimed.id, claimed.fence).await? else {
            return Ok(Outcome::Lost);
        };
        let fault = match ending {
            Ending::Succeeded => {
                store::end(conn, claimed.id, Outcome::Succeeded, None).await?;
                return Ok(Outcome::Succeeded);
            }
            Ending::Retry(fault) | Ending::Fatal(fault) if row.cancel_requested => {
                return end_badly(crew, conn, claimed, Outcome::Cancelled, fault).await;
            }
            Ending::Interrupted if row.cancel_requested => {
                return end_badly(crew, conn, claimed, Outcome::Cancelled, &cancelled()).await;
            }
            Ending::Interrupted => {
                store::release(conn, claimed.id).await?;
                return Ok(Outcome::Released);
            }
            Ending::Retry(fault) if row.attempts < row.max_attempts => {
                let pause = pause(crew.backoff, row.attempts.unsigned_abs());
                store::retry(conn, claimed.id, pause, fault.to_string()).await?;
                return Ok(Outcome::Retried);
            }
            Ending::Retry(fault) | Ending::Fatal(fault) => fault,
        };
        end_badly(crew, conn, claimed, Outcome::Dead, fault).await
    })
    .await
}

async fn end_badly(
    crew: &Crew,
    conn: &mut AsyncPgConnection,
    claimed: &Claimed,
    outcome: Outcome,
    fault: &Fault,
) -> Result<Outcome> {
    let hooks = if outcome == Outcome::Dead { &crew.on_dead } else { &crew.on_cancelled };
    if let Some(hook) = hooks.get(claimed.kind) {
        // The hook gets the public half; the cause is in the log already.
        let reason = Fault::new(fault.kind(), fault.code().to_owned(), fault.message().to_owned());
        hook(&mut *conn, claimed.clone(), reason).await?;
    }
    store::end(conn, claimed.id, outcome, Some(fault.to_string())).await?;
    Ok(outcome)
}

/// What a cancelled job's hook and its row are told.
pub(crate) fn cancelled() -> Fault {
    Fault::conflict("JOB_CANCELLED", "the work was cancelled on request")
}

/// Doubling from `first`, at most five minutes, and between half and all of that at random, so that jobs that failed
/// together do not come back together.
fn pause(first: Duration, attempts: u32) -> Duration {
    let whole = first.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1))).min(LONGEST_PAUSE);
    let noise = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
    whole.mul_f64(0.5 + f64::from(noise % 1000) / 2000.0)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_PAUSE, pause};
    use std::time::Duration;

    #[test]
    fn pause_doubles_within_its_bounds() {
        let first = Duration::from_secs(1);
        for (attempts, whole) in [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (1000, 300)] {
            let pause = pause(first, attempts);
            let whole = Duration::from_secs(whole);
            assert!(pause >= whole / 2 && pause <= whole, "{attempts}: {pause:?}");
        }
        assert!(pause(Duration::MAX, 3) <= LONGEST_PAUSE);
    }
}
