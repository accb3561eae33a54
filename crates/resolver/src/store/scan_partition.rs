//! The days of telemetry: made ahead, and dropped when they are past their time.

use mintmark_db::{RawPool, raw_fault};
use mintmark_fault::Result;

const ENSURE: &str = "SELECT ensure_scan_partitions($1)";
const DROP: &str = "SELECT drop_scan_partitions((now() AT TIME ZONE 'UTC')::date - $1::integer)";

/// Makes what is missing up to so many days ahead; answers how many there were.
///
/// # Errors
/// 503 when the database is away, or too busy to let a partition in now.
pub async fn ensure(raw: &RawPool, days_ahead: i32) -> Result<i32> {
    ask(raw, ENSURE, days_ahead).await
}

/// Drops whole days that are older than so many days; answers how many there were.
///
/// # Errors
/// As [`ensure`].
pub async fn drop_older_than(raw: &RawPool, days: i32) -> Result<i32> {
    ask(raw, DROP, days).await
}

async fn ask(raw: &RawPool, sql: &'static str, days: i32) -> Result<i32> {
    let client = raw.get().await?;
    let statement = client.prepared(sql).await?;
    let row = client.query_one(&statement, &[&days]).await.map_err(raw_fault)?;
    row.try_get(0).map_err(raw_fault)
}
