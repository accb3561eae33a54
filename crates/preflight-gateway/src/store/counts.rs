//! How many jobs a tenant has.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Double, Nullable, Text, Timestamptz};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::Result;

use super::Mandate;
use crate::app::job::{State, Verdict};

/// Jobs of one state and verdict.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    /// The state.
    pub state: State,
    /// The verdict, where the state has one.
    pub verdict: Option<Verdict>,
    /// How many.
    pub jobs: u64,
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Nullable<Text>)]
    verdict: Option<String>,
    #[diesel(sql_type = BigInt)]
    jobs: i64,
}

/// The tenant's jobs that were created at or after `since`, by state and verdict.
pub async fn count(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    since: DateTime<Utc>,
) -> Result<Vec<Count>> {
    const SQL: &str = "SELECT state, verdict, count(*) AS jobs FROM preflight_job
        WHERE tenant_id = $1 AND created_at >= $2 GROUP BY state, verdict ORDER BY state, verdict";
    let rows: Vec<CountRow> = sql_query(SQL)
        .bind::<Text, _>(mandate.tenant().as_str())
        .bind::<Timestamptz, _>(since)
        .load(conn)
        .await
        .or_fault()?;
    rows.into_iter()
        .map(|row| {
            Ok(Count {
                state: State::read(&row.state)?,
                verdict: row.verdict.as_deref().map(Verdict::read).transpose()?,
                jobs: row.jobs.unsigned_abs(),
            })
        })
        .collect()
}

#[derive(QueryableByName)]
struct TimesRow {
    #[diesel(sql_type = Nullable<Double>)]
    median: Option<f64>,
    #[diesel(sql_type = Nullable<Double>)]
    p95: Option<f64>,
}

/// Half, and 95 of 100, of those jobs that a worker ended took at most this long from their start to their end, in seconds.
pub async fn run_seconds(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    since: DateTime<Utc>,
) -> Result<Option<(f64, f64)>> {
    const SQL: &str = "WITH run AS (
            SELECT extract(epoch FROM finished_at - started_at)::float8 AS seconds FROM preflight_job
            WHERE tenant_id = $1 AND created_at >= $2 AND state IN ('succeeded', 'failed') AND started_at IS NOT NULL)
        SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY seconds) AS median,
            percentile_disc(0.95) WITHIN GROUP (ORDER BY seconds) AS p95 FROM run";
    let row: TimesRow = sql_query(SQL)
        .bind::<Text, _>(mandate.tenant().as_str())
        .bind::<Timestamptz, _>(since)
        .get_result(conn)
        .await
        .or_fault()?;
    Ok(row.median.zip(row.p95))
}
