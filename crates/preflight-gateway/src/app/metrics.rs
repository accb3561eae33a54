//! How many jobs a tenant has, and how long they take.

use chrono::{DateTime, TimeDelta, Utc};
use mintmark_auth::Principal;
use mintmark_auth::action::ViewPreflight;
use mintmark_fault::{Fault, Result};

use super::jobs::Jobs;
use super::permit;
use crate::store::counts::{self, Count};

/// How far back is counted when nothing is said.
const USUALLY: TimeDelta = TimeDelta::days(30);

/// How many jobs there are.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Since when.
    pub since: DateTime<Utc>,
    /// By state and verdict.
    pub counts: Vec<Count>,
    /// Half, and 95 of 100, of the jobs took at most this from their start to their end, in milliseconds.
    pub run_ms: Option<(u64, u64)>,
}

/// The time of a request, when a database can hold it.
///
/// # Errors
/// 400 `TIME_OUT_OF_RANGE`.
pub fn since(at: DateTime<Utc>) -> Result<DateTime<Utc>> {
    /// The last second of the year 9999.
    const LAST: i64 = 253_402_300_799;
    if (0..=LAST).contains(&at.timestamp()) {
        return Ok(at);
    }
    Err(Fault::invalid("TIME_OUT_OF_RANGE", "since", "since must be a time from 1970 to 9999"))
}

impl Jobs {
    /// Counts the tenant's jobs that were created at or after `since`; absent: of the last 30 days.
    pub async fn metrics(&self, who: &Principal, since: Option<DateTime<Utc>>) -> Result<Metrics> {
        let permit = permit::<ViewPreflight>(who)?;
        let since = since.unwrap_or_else(|| Utc::now() - USUALLY);
        let mut conn = self.pool.get().await?;
        let counts = counts::count(&mut conn, &permit, since).await?;
        let seconds = counts::run_seconds(&mut conn, &permit, since).await?;
        let run_ms = seconds.map(|(median, p95)| (milliseconds(median), milliseconds(p95)));
        Ok(Metrics { since, counts, run_ms })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time between two times of a day"
)]
fn milliseconds(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1_000.0).round() as u64
}
