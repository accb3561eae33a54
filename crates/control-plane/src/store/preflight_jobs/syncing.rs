//! Preflight jobs on their way in: how far a tenant's are taken over, and writing what came.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::action::SyncPreflightJobs;
use mintmark_auth::policy::Permit;
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_wire::preflight::v1::{Job, JobState, ListChangedJobsResponse, Verdict};
use prost_types::Timestamp;
use uuid::Uuid;

use super::super::schema::{preflight_cursor, preflight_job};
use super::super::unsigned;

/// Where a sync goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The revision that was taken over last.
    pub revision: u64,
    /// What the gateway said with it; empty: nothing.
    pub mark: String,
}

/// What a page changed here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Jobs that were not here.
    pub created: u64,
    /// Jobs that were here in an older form.
    pub updated: u64,
}

/// Where the tenant's sync goes on; makes the tenant's row on the first one.
pub async fn cursor(conn: &mut AsyncPgConnection, permit: &Permit<SyncPreflightJobs>) -> Result<Cursor> {
    let tenant = permit.tenant().as_str();
    diesel::insert_into(preflight_cursor::table)
        .values(preflight_cursor::tenant_id.eq(tenant))
        .on_conflict_do_nothing()
        .execute(conn)
        .await
        .or_fault()?;
    let (revision, mark): (i64, Option<String>) = preflight_cursor::table
        .find(tenant)
        .select((preflight_cursor::revision, preflight_cursor::mark))
        .first(conn)
        .await
        .or_fault()?;
    let revision = unsigned("preflight_cursor.revision", revision)?;
    Ok(Cursor { revision, mark: mark.unwrap_or_default() })
}

/// Overwrites the tenant's jobs with newer ones and moves the cursor from `from`, inside a transaction. `None`, and nothing
/// written: another sync was here meanwhile, and its cursor is where to go on.
pub async fn apply(
    conn: &mut AsyncPgConnection,
    permit: &Permit<SyncPreflightJobs>,
    from: u64,
    page: &ListChangedJobsResponse,
) -> Result<Option<Written>> {
    // First the cursor: its row lock keeps everybody else away from the tenant's rows.
    if !move_cursor(conn, permit, from, page.next_cursor, &page.mark).await? {
        return Ok(None);
    }
    let rows = Rows::read(&page.jobs)?;
    if rows.jobs.is_empty() {
        return Ok(Some(Written::default()));
    }
    rows.write(conn, permit.tenant().as_str()).await.map(Some)
}

/// Begins anew with a gateway that was restored from a backup, inside a transaction: its revisions are given out a second
/// time, so those that we have say nothing about which of two forms of a job is the newer one. What the gateway lost with
/// the restore stays here as the best that is known.
pub async fn start_again(
    conn: &mut AsyncPgConnection,
    permit: &Permit<SyncPreflightJobs>,
    from: u64,
) -> Result<()> {
    if move_cursor(conn, permit, from, 0, "").await? {
        let of_tenant = preflight_job::tenant_id.eq(permit.tenant().as_str());
        diesel::update(preflight_job::table.filter(of_tenant))
            .set(preflight_job::revision.eq(0))
            .execute(conn)
            .await
            .or_fault()?;
    }
    Ok(())
}

async fn move_cursor(
    conn: &mut AsyncPgConnection,
    permit: &Permit<SyncPreflightJobs>,
    from: u64,
    to: u64,
    mark: &str,
) -> Result<bool> {
    let (from, to): (i64, i64) = (unsigned("cursor", from)?, unsigned("cursor", to)?);
    let moved = diesel::update(preflight_cursor::table.find(permit.tenant().as_str()))
        .filter(preflight_cursor::revision.eq(from))
        .set((
            preflight_cursor::revision.eq(to),
            preflight_cursor::mark.eq((!mark.is_empty()).then_some(mark)),
            preflight_cursor::synced_at.eq(diesel::dsl::now),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(moved == 1)
}

/// A page by columns: one statement writes it.
#[derive(Default)]
struct Rows {
    listings: Vec<Uuid>,
    jobs: Vec<String>,
    targets: Vec<String>,
    bytes: Vec<i64>,
    policies: Vec<String>,
    policy_versions: Vec<String>,
    batches: Vec<Option<String>>,
    states: Vec<&'static str>,
    verdicts: Vec<Option<&'static str>>,
    failure_codes: Vec<Option<String>>,
    failure_messages: Vec<Option<String>>,
    digests: Vec<Option<Vec<u8>>>,
    engines: Vec<Option<String>>,
    created: Vec<DateTime<Utc>>,
    updated: Vec<DateTime<Utc>>,
    started: Vec<Option<DateTime<Utc>>>,
    finished: Vec<Option<DateTime<Utc>>>,
    revisions: Vec<i64>,
}

#[derive(QueryableByName)]
struct Touched {
    #[diesel(sql_type = Bool)]
    created: bool,
}

impl Rows {
    fn read(jobs: &[Job]) -> Result<Rows> {
        let mut rows = Rows::default();
        for job in jobs {
            rows.listings.push(Uuid::now_v7());
            rows.jobs.push(job.job_id.clone());
            rows.targets.push(job.target_file.clone());
            rows.bytes.push(unsigned("target_bytes", job.target_bytes)?);
            rows.policies.push(job.policy.clone());
            rows.policy_versions.push(job.policy_version.clone());
            rows.batches.push(job.batch_id.clone());
            rows.states.push(state(job.state())?);
            rows.verdicts.push(verdict(job.verdict()));
            rows.failure_codes.push(job.failure.as_ref().map(|failure| failure.code.clone()));
            rows.failure_messages.push(job.failure.as_ref().map(|failure| failure.message.clone()));
            rows.digests.push(job.content_sha256.as_deref().map(digest).transpose()?);
            rows.engines.push(job.engine_version.clone());
            rows.created.push(time(job.created_at)?.ok_or_else(|| said("no time of creation"))?);
            rows.updated.push(time(job.updated_at)?.ok_or_else(|| said("no time of change"))?);
            rows.started.push(time(job.started_at)?);
            rows.finished.push(time(job.finished_at)?);
            rows.revisions.push(unsigned("revision", job.revision)?);
        }
        Ok(rows)
    }

    async fn write(&self, conn: &mut AsyncPgConnection, tenant: &str) -> Result<Written> {
        const SQL: &str = "INSERT INTO preflight_job AS j
                (tenant_id, listing_id, job_id, target_file, target_bytes, policy, policy_version, batch_id, state, verdict,
                 failure_code, failure_message, content_sha256, engine_version, created_at, updated_at, started_at,
                 finished_at, revision)
            SELECT $1, * FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
            ON CONFLICT (tenant_id, job_id) DO UPDATE SET
                target_file = excluded.target_file, target_bytes = excluded.target_bytes, policy = excluded.policy,
                policy_version = excluded.policy_version, batch_id = excluded.batch_id, state = excluded.state,
                verdict = excluded.verdict, failure_code = excluded.failure_code,
                failure_message = excluded.failure_message, content_sha256 = excluded.content_sha256,
                engine_version = excluded.engine_version, created_at = excluded.created_at,
                updated_at = excluded.updated_at, started_at = excluded.started_at, finished_at = excluded.finished_at,
                revision = excluded.revision, synced_at = clock_timestamp()
                WHERE j.revision < excluded.revision
            RETURNING xmax = 0 AS created";
        let touched: Vec<Touched> = sql_query(SQL)
            .bind::<Text, _>(tenant)
            .bind::<Array<SqlUuid>, _>(&self.listings)
            .bind::<Array<Text>, _>(&self.jobs)
            .bind::<Array<Text>, _>(&self.targets)
            .bind::<Array<BigInt>, _>(&self.bytes)
            .bind::<Array<Text>, _>(&self.policies)
            .bind::<Array<Text>, _>(&self.policy_versions)
            .bind::<Array<Nullable<Text>>, _>(&self.batches)
            .bind::<Array<Text>, _>(&self.states)
            .bind::<Array<Nullable<Text>>, _>(&self.verdicts)
            .bind::<Array<Nullable<Text>>, _>(&self.failure_codes)
            .bind::<Array<Nullable<Text>>, _>(&self.failure_messages)
            .bind::<Array<Nullable<Binary>>, _>(&self.digests)
            .bind::<Array<Nullable<Text>>, _>(&self.engines)
            .bind::<Array<Timestamptz>, _>(&self.created)
            .bind::<Array<Timestamptz>, _>(&self.updated)
            .bind::<Array<Nullable<Timestamptz>>, _>(&self.started)
            .bind::<Array<Nullable<Timestamptz>>, _>(&self.finished)
            .bind::<Array<BigInt>, _>(&self.revisions)
            .load(conn)
            .await
            .or_fault()?;
        let created = touched.iter().filter(|row| row.created).count() as u64;
        Ok(Written { created, updated: touched.len() as u64 - created })
    }
}

fn state(state: JobState) -> Result<&'static str> {
    Ok(match state {
        JobState::Recorded => "recorded",
        JobState::Queued => "queued",
        JobState::Running => "running",
        JobState::Succeeded => "succeeded",
        JobState::Failed => "failed",
        JobState::Cancelled => "cancelled",
        JobState::Unspecified => return Err(said("a state that this program does not know")),
    })
}

fn verdict(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Unspecified => None,
        Verdict::Pass => Some("pass"),
        Verdict::PassWithWarnings => Some("pass_with_warnings"),
        Verdict::Fail => Some("fail"),
        Verdict::Incomplete => Some("incomplete"),
    }
}

/// 64 hexadecimal digits as bytes.
fn digest(hex: &str) -> Result<Vec<u8>> {
    let byte = |pair: &[u8]| {
        let digits = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(digits, 16).ok()
    };
    let bytes: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(byte).collect();
    bytes.filter(|bytes| bytes.len() == 32).ok_or_else(|| said("a digest that is none"))
}

fn time(at: Option<Timestamp>) -> Result<Option<DateTime<Utc>>> {
    let Some(at) = at else { return Ok(None) };
    let nanos = u32::try_from(at.nanos).unwrap_or(u32::MAX);
    DateTime::from_timestamp(at.seconds, nanos).map(Some).ok_or_else(|| said("a time that cannot be"))
}

/// What the gateway says and its contract does not allow is not the client's mistake.
fn said(what: &str) -> Fault {
    Fault::internal(format!("the preflight gateway says {what}"))
}
