//! Sums of scans on their way in: how far a tenant's are pulled, and which job pulls next.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Date, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::Actor;
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{BatchId, JobId, ProductId, TenantId};
use mintmark_jobs::{JobPermit, JobState, enqueue_at};
use mintmark_wire::directory::v1::{PullScansResponse, ScanOutcome, ScanSummary};
use uuid::Uuid;

use super::super::schema::{batch, scan_cursor, scan_summary};
use super::super::{stored, unsigned};
use crate::job_kinds::{PullScans, PullScansPayload};

/// The tenants that may have scans. Asked when the service starts, before any permit: it tells no more than their names.
pub async fn tenants(conn: &mut AsyncPgConnection) -> Result<Vec<TenantId>> {
    let found: Vec<String> = batch::table
        .filter(batch::sealed_at.is_not_null())
        .select(batch::tenant_id)
        .distinct()
        .load(conn)
        .await
        .or_fault()?;
    found.iter().map(|id| stored("batch.tenant_id", TenantId::parse(id))).collect()
}

/// Makes sure that a tenant has a job that pulls; asked when a batch is sealed, in that transaction, and at a start.
pub async fn ensure(conn: &mut AsyncPgConnection, tenant: &TenantId, actor: &Actor) -> Result<()> {
    diesel::insert_into(scan_cursor::table)
        .values(scan_cursor::tenant_id.eq(tenant.as_str()))
        .on_conflict_do_nothing()
        .execute(conn)
        .await
        .or_fault()?;
    let job: Option<Uuid> = scan_cursor::table
        .find(tenant.as_str())
        .select(scan_cursor::job_id)
        .for_update()
        .first(conn)
        .await
        .or_fault()?;
    if let Some(job) = job.map(JobId::from_uuid) {
        let found = mintmark_jobs::statuses(conn, &[job]).await?.remove(&job);
        if found.is_some_and(|job| matches!(job.state, JobState::Queued | JobState::Running)) {
            return Ok(());
        }
    }
    schedule(conn, tenant, actor, TimeDelta::zero()).await
}

/// Makes a tenant's next job, which starts `after` so long; from now on that one alone pulls.
///
/// By the database's clock, which also says when it is due: a worker whose own is hours ahead would put the tenant's pulls
/// off for as long.
pub async fn schedule(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    actor: &Actor,
    after: TimeDelta,
) -> Result<()> {
    let now: DateTime<Utc> =
        diesel::select(sql::<Timestamptz>("clock_timestamp()")).get_result(conn).await.or_fault()?;
    let at = now.checked_add_signed(after).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let job = enqueue_at::<PullScans>(conn, tenant, actor, &PullScansPayload {}, at).await?;
    diesel::update(scan_cursor::table.find(tenant.as_str()))
        .set(scan_cursor::job_id.eq(job.as_uuid()))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

/// Where a pull goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The revision that was pulled last.
    pub revision: u64,
    /// What the directory said with it; empty: nothing.
    pub mark: String,
}

/// Where the tenant's pull goes on; `None` when another job has it.
pub async fn cursor(conn: &mut AsyncPgConnection, permit: &JobPermit<PullScans>) -> Result<Option<Cursor>> {
    let found: Option<(i64, Option<String>)> = scan_cursor::table
        .find(permit.tenant().as_str())
        .filter(scan_cursor::job_id.eq(permit.job().as_uuid()))
        .select((scan_cursor::revision, scan_cursor::mark))
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    let Some((revision, mark)) = found else { return Ok(None) };
    Ok(Some(Cursor { revision: unsigned("scan_cursor.revision", revision)?, mark: mark.unwrap_or_default() }))
}

/// Overwrites the tenant's rows with newer ones and moves the cursor from `from`, inside a fenced transaction of the job.
///
/// # Errors
/// 503 `SCANS_TAKEN_OVER` when the cursor is somewhere else: the next claim looks where, and whether another job has it.
pub async fn apply(
    conn: &mut AsyncPgConnection,
    permit: &JobPermit<PullScans>,
    from: u64,
    page: &PullScansResponse,
) -> Result<()> {
    let tenant = permit.tenant();
    // First the cursor: its row lock keeps everybody else away from the tenant's rows.
    move_cursor(conn, permit, from, page.next_cursor, &page.mark).await?;
    let rows = Rows::read(&page.summaries)?;
    if rows.days.is_empty() { Ok(()) } else { rows.write(conn, tenant).await }
}

/// Begins anew with a directory that was restored from a backup, inside a fenced transaction of the job: its revisions
/// are given out a second time, so those that we have say nothing about which of two sums is the newer one. What the
/// directory still has overwrites ours; what it lost with the restore stays here as the best that is known.
///
/// # Errors
/// As [`apply`].
pub async fn start_again(
    conn: &mut AsyncPgConnection,
    permit: &JobPermit<PullScans>,
    from: u64,
) -> Result<()> {
    move_cursor(conn, permit, from, 0, "").await?;
    diesel::update(scan_summary::table.filter(scan_summary::tenant_id.eq(permit.tenant().as_str())))
        .set(scan_summary::revision.eq(0))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

async fn move_cursor(
    conn: &mut AsyncPgConnection,
    permit: &JobPermit<PullScans>,
    from: u64,
    to: u64,
    mark: &str,
) -> Result<()> {
    let (from, to): (i64, i64) = (unsigned("cursor", from)?, unsigned("cursor", to)?);
    let moved = diesel::update(scan_cursor::table.find(permit.tenant().as_str()))
        .filter(scan_cursor::job_id.eq(permit.job().as_uuid()))
        .filter(scan_cursor::revision.eq(from))
        .set((scan_cursor::revision.eq(to), scan_cursor::mark.eq((!mark.is_empty()).then_some(mark))))
        .execute(conn)
        .await
        .or_fault()?;
    if moved == 1 {
        return Ok(());
    }
    Err(Fault::unavailable("SCANS_TAKEN_OVER", "the cursor of this tenant's scans was moved meanwhile"))
}

/// Notes that everything is here and makes the `next` job for so long after, in the transaction that ends this one.
pub async fn pulled(
    conn: &mut AsyncPgConnection,
    permit: &JobPermit<PullScans>,
    next: TimeDelta,
) -> Result<()> {
    let tenant = permit.tenant();
    diesel::update(scan_cursor::table.find(tenant.as_str()))
        .set(scan_cursor::pulled_at.eq(diesel::dsl::now))
        .execute(conn)
        .await
        .or_fault()?;
    sql_query("SELECT forget_scan_pulls($1)")
        .bind::<Text, _>(tenant.as_str())
        .execute(conn)
        .await
        .or_fault()?;
    schedule(conn, tenant, permit.actor(), next).await
}

/// A page by columns: one statement writes it.
#[derive(Default)]
struct Rows {
    days: Vec<NaiveDate>,
    products: Vec<Uuid>,
    batches: Vec<Option<Uuid>>,
    countries: Vec<Option<String>>,
    outcomes: Vec<&'static str>,
    scans: Vec<i64>,
    first_activations: Vec<i64>,
    revisions: Vec<i64>,
}

impl Rows {
    fn read(summaries: &[ScanSummary]) -> Result<Rows> {
        let mut rows = Rows::default();
        for row in summaries {
            rows.days.push(said("day", row.day.parse())?);
            rows.products.push(said("product_id", row.product_id.parse::<ProductId>())?.as_uuid());
            let batch = row.batch_id.as_deref().map(str::parse::<BatchId>).transpose();
            rows.batches.push(said("batch_id", batch)?.map(|batch| batch.as_uuid()));
            rows.countries.push(row.country.clone());
            rows.outcomes.push(outcome(row.outcome())?);
            rows.scans.push(unsigned("scans", row.scans)?);
            rows.first_activations.push(unsigned("first_activations", row.first_activations)?);
            rows.revisions.push(unsigned("revision", row.revision)?);
        }
        Ok(rows)
    }

    async fn write(&self, conn: &mut AsyncPgConnection, tenant: &TenantId) -> Result<()> {
        const SQL: &str = "INSERT INTO scan_summary AS s
                (tenant_id, day, product_id, batch_id, country, outcome, scans, first_activations, revision)
            SELECT $1, * FROM unnest($2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT ON CONSTRAINT scan_summary_key DO UPDATE
                SET scans = excluded.scans, first_activations = excluded.first_activations, revision = excluded.revision
                WHERE s.revision < excluded.revision";
        sql_query(SQL)
            .bind::<Text, _>(tenant.as_str())
            .bind::<Array<Date>, _>(&self.days)
            .bind::<Array<SqlUuid>, _>(&self.products)
            .bind::<Array<Nullable<SqlUuid>>, _>(&self.batches)
            .bind::<Array<Nullable<Text>>, _>(&self.countries)
            .bind::<Array<Text>, _>(&self.outcomes)
            .bind::<Array<BigInt>, _>(&self.scans)
            .bind::<Array<BigInt>, _>(&self.first_activations)
            .bind::<Array<BigInt>, _>(&self.revisions)
            .execute(conn)
            .await
            .or_fault()?;
        Ok(())
    }
}

fn outcome(outcome: ScanOutcome) -> Result<&'static str> {
    Ok(match outcome {
        ScanOutcome::Genuine => "genuine",
        ScanOutcome::ActivatedNow => "activated_now",
        ScanOutcome::Activated => "activated",
        ScanOutcome::Recalled => "recalled",
        ScanOutcome::Unknown => "unknown",
        ScanOutcome::Unpublished => "unpublished",
        ScanOutcome::Unconfirmed => "unconfirmed",
        ScanOutcome::Unspecified => {
            return Err(Fault::internal(
                "the directory says an outcome of scans that this program does not know",
            ));
        }
    })
}

/// A value of the directory's; anything else than what its contract says is not the client's mistake.
fn said<T, E: std::fmt::Display>(field: &str, parsed: std::result::Result<T, E>) -> Result<T> {
    parsed.map_err(|error| Fault::internal(format!("the directory says a {field} that cannot be: {error}")))
}
