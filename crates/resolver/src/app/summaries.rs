//! Sums of scans: made from whole segments of telemetry, handed out by revision.

use std::time::Duration;

use chrono::NaiveDate;
use diesel_async::AsyncPgConnection;
use mintmark_auth::Permit;
use mintmark_auth::action::ReadDirectory;
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Chain, Fault, Kind, Result};
use mintmark_ids::{BatchId, ProductId};
use mintmark_service::{Context, telemetry};
use uuid::Uuid;

use super::directory::Directory;
use crate::store::summaries;

/// How often somebody looks for new segments.
const EVERY: Duration = Duration::from_secs(1);
/// Segments of one transaction: at most 200,000 events, a second or two.
const SEGMENTS: u16 = 40;

/// What one transaction added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summed {
    /// How many segments.
    pub segments: usize,
    /// How many events they have.
    pub events: u64,
}

/// Adds new segments to the sums until the end. Any number of processes may run it: one at a time has its turn.
///
/// A segment is marked in the transaction that adds it: killed at any point, it is added once, by whoever comes next.
pub async fn keep_summing(pool: Pool, context: Context) {
    let events = telemetry::meter()
        .u64_counter("scan_events_summed")
        .with_description("scan rows that were added to the sums of scans")
        .build();
    let ended = context.shutdown.token();
    let mut more = false;
    loop {
        if !more && ended.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
        if ended.is_cancelled() {
            return;
        }
        match sum(&pool).await {
            Ok(summed) => {
                events.add(summed.map_or(0, |summed| summed.events), &[]);
                more = summed.is_some_and(|summed| summed.segments == usize::from(SEGMENTS));
            }
            Err(fault) => {
                tracing::warn!(error = %Chain(&fault), "scans were not summed; their segments wait");
                more = false;
            }
        }
    }
}

/// Adds the segments that wait, as many as one transaction takes; `None` when another process is at it.
///
/// # Errors
/// 503 when the database is away; then nothing was added.
pub async fn sum(pool: &Pool) -> Result<Option<Summed>> {
    let mut conn = pool.get().await?;
    transaction("scans.sum", &mut conn, async |conn: &mut AsyncPgConnection| {
        summaries::add(conn, SEGMENTS).await
    })
    .await
}

/// How many scans had one outcome on one day; all fields up to `outcome` are the key.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The day in UTC.
    pub day: NaiveDate,
    /// The product.
    pub product: ProductId,
    /// The batch; none for a code that no batch of the product has.
    pub batch: Option<BatchId>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// The word of the outcome.
    pub outcome: String,
    /// How many scans.
    pub scans: i64,
    /// How many of them activated their unit.
    pub first_activations: i64,
    /// Which change of the table this is.
    pub revision: i64,
}

/// Some of the sums that changed.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// In the order of their revisions.
    pub summaries: Vec<Summary>,
    /// Where the next pull starts.
    pub next_cursor: i64,
    /// Whether there are more now.
    pub more: bool,
    /// Shows the next pull to be of this very directory.
    pub mark: Option<Uuid>,
}

impl Directory {
    /// The tenant's sums with a revision above `cursor`, at most `limit`. `mark` is what came with the cursor.
    ///
    /// # Errors
    /// `SCANS_RESTARTED` when another history of this database gave the cursor out; 503 when the database is away.
    pub async fn pull_scans(
        &self,
        permit: &Permit<ReadDirectory>,
        cursor: i64,
        mark: Option<Uuid>,
        limit: u16,
    ) -> Result<Pulled> {
        let mut conn = self.pool.get().await?;
        if !summaries::gave_out(&mut conn, cursor, mark).await? {
            return Err(restarted());
        }
        let mut summaries = summaries::changed(&mut conn, permit, cursor, i64::from(limit) + 1).await?;
        let more = summaries.len() > usize::from(limit);
        summaries.truncate(usize::from(limit));
        let next_cursor = summaries.last().map_or(cursor, |last| last.revision);
        // After the rows: a mark is never older than a row that goes with it.
        let mark = summaries::newest_mark(&mut conn).await?;
        Ok(Pulled { summaries, next_cursor, more, mark })
    }
}

fn restarted() -> Fault {
    Fault::new(
        Kind::Unprocessable,
        "SCANS_RESTARTED",
        "the directory was restored from a backup since this cursor was given out; pull again from 0 without a mark",
    )
}
