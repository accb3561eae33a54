//! Every statement on the table `jobs`.
//!
//! Time is the database's `clock_timestamp()` throughout: workers' clocks may differ. Where it bounds an index scan it
//! stands in a sub-select, because Postgres does not use an index for a comparison with a volatile function.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{
    Array, BigInt, Bool, Double, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::Result;
use mintmark_ids::{JobId, TenantId};
use serde_json::Value;
use uuid::Uuid;

use crate::settle::Outcome;

/// The channel of NOTIFY; the payload is the kind.
pub(crate) const CHANNEL: &str = "mintmark_jobs";
/// Longest text of `last_error`, in characters; the table allows 2,000.
const ERROR_CHARS: usize = 1_000;

pub(crate) struct NewJob<'a> {
    pub(crate) id: Uuid,
    pub(crate) kind: &'static str,
    pub(crate) tenant_id: &'a str,
    pub(crate) actor: String,
    pub(crate) payload: Value,
    pub(crate) max_attempts: i32,
    pub(crate) run_at: Option<DateTime<Utc>>,
    pub(crate) trace_parent: Option<String>,
}

/// One statement, so that the notification costs no further round trip; Postgres delivers it at the commit.
pub(crate) async fn insert(conn: &mut AsyncPgConnection, new: NewJob<'_>) -> Result<()> {
    const SQL: &str = "WITH job AS (
            INSERT INTO jobs (id, kind, tenant_id, actor, payload, max_attempts, run_at, trace_parent)
            VALUES ($1, $2, $3, $4, $5, $6, COALESCE($7, clock_timestamp()), $8)
            RETURNING kind)
        SELECT pg_notify('mintmark_jobs', kind) FROM job";
    sql_query(SQL)
        .bind::<SqlUuid, _>(new.id)
        .bind::<Text, _>(new.kind)
        .bind::<Text, _>(new.tenant_id)
        .bind::<Text, _>(new.actor)
        .bind::<Jsonb, _>(new.payload)
        .bind::<Integer, _>(new.max_attempts)
        .bind::<Nullable<Timestamptz>, _>(new.run_at)
        .bind::<Nullable<Text>, _>(new.trace_parent)
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

#[derive(QueryableByName)]
pub(crate) struct ClaimRow {
    #[diesel(sql_type = SqlUuid)]
    pub(crate) id: Uuid,
    #[diesel(sql_type = Text)]
    pub(crate) kind: String,
    #[diesel(sql_type = Text)]
    pub(crate) tenant_id: String,
    #[diesel(sql_type = Text)]
    pub(crate) actor: String,
    #[diesel(sql_type = Jsonb)]
    pub(crate) payload: Value,
    #[diesel(sql_type = Integer)]
    pub(crate) attempts: i32,
    #[diesel(sql_type = Integer)]
    pub(crate) max_attempts: i32,
    #[diesel(sql_type = BigInt)]
    pub(crate) fence: i64,
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) trace_parent: Option<String>,
    #[diesel(sql_type = Bool)]
    pub(crate) cancel_requested: bool,
}

/// Takes up to `limit` jobs: first those whose worker was lost, then the oldest that are due.
///
/// A row that a fenced transaction holds is skipped: while it is locked its worker is not lost.
pub(crate) async fn claim(
    conn: &mut AsyncPgConnection,
    kinds: &[&'static str],
    limit: i64,
    worker: &str,
    lease: Duration,
) -> Result<Vec<ClaimRow>> {
    const SQL: &str = "WITH expired AS (
            SELECT id FROM jobs
            WHERE kind = ANY($1) AND state = 'running' AND lease_until < (SELECT clock_timestamp())
            ORDER BY lease_until LIMIT $2 FOR UPDATE SKIP LOCKED),
        due AS (
            SELECT id FROM jobs
            WHERE kind = ANY($1) AND state = 'queued' AND run_at <= (SELECT clock_timestamp())
            ORDER BY run_at, id LIMIT $2 FOR UPDATE SKIP LOCKED),
        picked AS (SELECT id FROM expired UNION ALL SELECT id FROM due LIMIT $2)
        UPDATE jobs
        SET state = 'running', fence = fence + 1, attempts = attempts + 1, worker = $3,
            lease_until = clock_timestamp() + make_interval(secs => $4)
        FROM picked WHERE jobs.id = picked.id
        RETURNING jobs.id, kind, tenant_id, actor, payload, attempts, max_attempts, fence, trace_parent,
            cancel_requested_at IS NOT NULL AS cancel_requested";
    sql_query(SQL)
        .bind::<Array<Text>, _>(kinds)
        .bind::<BigInt, _>(limit)
        .bind::<Text, _>(worker)
        .bind::<Double, _>(lease.as_secs_f64())
        .load(conn)
        .await
        .or_fault()
}

#[derive(QueryableByName)]
struct CancelRow {
    #[diesel(sql_type = Bool)]
    cancel_requested: bool,
}

/// Extends the lease of claim `fence`; `None` when the claim is over, else whether somebody asked to cancel.
pub(crate) async fn renew(
    conn: &mut AsyncPgConnection,
    job: JobId,
    fence: i64,
    lease: Duration,
) -> Result<Option<bool>> {
    const SQL: &str = "UPDATE jobs SET lease_until = clock_timestamp() + make_interval(secs => $3)
        WHERE id = $1 AND fence = $2 AND state = 'running'
        RETURNING cancel_requested_at IS NOT NULL AS cancel_requested";
    let row: Option<CancelRow> = sql_query(SQL)
        .bind::<SqlUuid, _>(job.as_uuid())
        .bind::<BigInt, _>(fence)
        .bind::<Double, _>(lease.as_secs_f64())
        .get_result(conn)
        .await
        .optional()
        .or_fault()?;
    Ok(row.map(|row| row.cancel_requested))
}

#[derive(QueryableByName)]
pub(crate) struct LockedRow {
    #[diesel(sql_type = Integer)]
    pub(crate) attempts: i32,
    #[diesel(sql_type = Integer)]
    pub(crate) max_attempts: i32,
    #[diesel(sql_type = Bool)]
    pub(crate) cancel_requested: bool,
}

/// Locks the row of claim `fence` until the transaction ends; `None` when the claim is over.
pub(crate) async fn lock(conn: &mut AsyncPgConnection, job: JobId, fence: i64) -> Result<Option<LockedRow>> {
    const SQL: &str = "SELECT attempts, max_attempts, cancel_requested_at IS NOT NULL AS cancel_requested
        FROM jobs WHERE id = $1 AND fence = $2 AND state = 'running' FOR UPDATE";
    sql_query(SQL)
        .bind::<SqlUuid, _>(job.as_uuid())
        .bind::<BigInt, _>(fence)
        .get_result(conn)
        .await
        .optional()
        .or_fault()
}

/// Writes down progress; more than before starts the count of attempts anew. `None` when the claim is over, else whether
/// somebody asked to cancel.
pub(crate) async fn progress(
    conn: &mut AsyncPgConnection,
    job: JobId,
    fence: i64,
    done: i64,
    total: i64,
) -> Result<Option<bool>> {
    const SQL: &str = "UPDATE jobs
        SET attempts = CASE WHEN $3 > done THEN 1 ELSE attempts END, done = GREATEST(done, $3), total = $4
        WHERE id = $1 AND fence = $2 AND state = 'running'
        RETURNING cancel_requested_at IS NOT NULL AS cancel_requested";
    let row: Option<CancelRow> = sql_query(SQL)
        .bind::<SqlUuid, _>(job.as_uuid())
        .bind::<BigInt, _>(fence)
        .bind::<BigInt, _>(done)
        .bind::<BigInt, _>(total)
        .get_result(conn)
        .await
        .optional()
        .or_fault()?;
    Ok(row.map(|row| row.cancel_requested))
}

/// Ends a locked job; `outcome` is one of the three final states.
pub(crate) async fn end(
    conn: &mut AsyncPgConnection,
    job: JobId,
    outcome: Outcome,
    error: Option<String>,
) -> Result<()> {
    const SQL: &str = "UPDATE jobs
        SET state = $2, finished_at = clock_timestamp(), lease_until = NULL, worker = NULL,
            last_error = COALESCE($3, last_error)
        WHERE id = $1";
    sql_query(SQL)
        .bind::<SqlUuid, _>(job.as_uuid())
        .bind::<Text, _>(outcome.as_str())
        .bind::<Nullable<Text>, _>(error.map(shortened))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

/// Puts a locked job back for another attempt after `pause`.
pub(crate) async fn retry(
    conn: &mut AsyncPgConnection,
    job: JobId,
    pause: Duration,
    error: String,
) -> Result<()> {
    const SQL: &str = "UPDATE jobs
        SET state = 'queued', run_at = clock_timestamp() + make_interval(secs => $2), lease_until = NULL,
            worker = NULL, last_error = $3
        WHERE id = $1";
    sql_query(SQL)
        .bind::<SqlUuid, _>(job.as_uuid())
        .bind::<Double, _>(pause.as_secs_f64())
        .bind::<Text, _>(shortened(error))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

/// Gives a locked job back at once, without its attempt, and tells the other workers.
pub(crate) async fn release(conn: &mut AsyncPgConnection, job: JobId) -> Result<()> {
    const SQL: &str = "WITH job AS (
            UPDATE jobs
            SET state = 'queued', run_at = clock_timestamp(), attempts = GREATEST(attempts - 1, 0),
                lease_until = NULL, worker = NULL
            WHERE id = $1 RETURNING kind)
        SELECT pg_notify('mintmark_jobs', kind) FROM job";
    sql_query(SQL).bind::<SqlUuid, _>(job.as_uuid()).execute(conn).await.or_fault()?;
    Ok(())
}

#[derive(QueryableByName)]
struct StateRow {
    #[diesel(sql_type = Text)]
    state: String,
}

/// The state after the request; `None` when there was nothing to cancel.
pub(crate) async fn request_cancel(conn: &mut AsyncPgConnection, job: JobId) -> Result<Option<String>> {
    const SQL: &str = "UPDATE jobs
        SET cancel_requested_at = COALESCE(cancel_requested_at, clock_timestamp()),
            finished_at = CASE state WHEN 'queued' THEN clock_timestamp() END,
            state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END
        WHERE id = $1 AND state IN ('queued', 'running')
        RETURNING state";
    let row: Option<StateRow> =
        sql_query(SQL).bind::<SqlUuid, _>(job.as_uuid()).get_result(conn).await.optional().or_fault()?;
    Ok(row.map(|row| row.state))
}

/// Whether there was a dead letter to replay.
pub(crate) async fn replay(conn: &mut AsyncPgConnection, job: JobId) -> Result<bool> {
    const SQL: &str = "WITH job AS (
            UPDATE jobs
            SET state = 'queued', attempts = 0, replays = replays + 1, run_at = clock_timestamp(),
                finished_at = NULL, cancel_requested_at = NULL
            WHERE id = $1 AND state = 'dead' RETURNING kind)
        SELECT pg_notify('mintmark_jobs', kind) FROM job";
    let told = sql_query(SQL).bind::<SqlUuid, _>(job.as_uuid()).execute(conn).await.or_fault()?;
    Ok(told == 1)
}

#[derive(QueryableByName)]
pub(crate) struct StatusRow {
    #[diesel(sql_type = SqlUuid)]
    pub(crate) id: Uuid,
    #[diesel(sql_type = Text)]
    pub(crate) kind: String,
    #[diesel(sql_type = Text)]
    pub(crate) tenant_id: String,
    #[diesel(sql_type = Text)]
    pub(crate) state: String,
    #[diesel(sql_type = BigInt)]
    pub(crate) done: i64,
    #[diesel(sql_type = BigInt)]
    pub(crate) total: i64,
    #[diesel(sql_type = Integer)]
    pub(crate) attempts: i32,
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) last_error: Option<String>,
}

pub(crate) async fn statuses(conn: &mut AsyncPgConnection, jobs: &[JobId]) -> Result<Vec<StatusRow>> {
    const SQL: &str =
        "SELECT id, kind, tenant_id, state, done, total, attempts, last_error FROM jobs WHERE id = ANY($1)";
    let ids: Vec<Uuid> = jobs.iter().map(JobId::as_uuid).collect();
    sql_query(SQL).bind::<Array<SqlUuid>, _>(ids).load(conn).await.or_fault()
}

#[derive(QueryableByName)]
pub(crate) struct DeadRow {
    #[diesel(sql_type = SqlUuid)]
    pub(crate) id: Uuid,
    #[diesel(sql_type = Text)]
    pub(crate) kind: String,
    #[diesel(sql_type = Text)]
    pub(crate) tenant_id: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) last_error: Option<String>,
    #[diesel(sql_type = Integer)]
    pub(crate) attempts: i32,
    #[diesel(sql_type = Integer)]
    pub(crate) replays: i32,
    #[diesel(sql_type = Timestamptz)]
    pub(crate) created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    pub(crate) finished_at: DateTime<Utc>,
}

pub(crate) async fn dead_letters(
    conn: &mut AsyncPgConnection,
    tenant: Option<&TenantId>,
    limit: u32,
    after: Option<JobId>,
) -> Result<Vec<DeadRow>> {
    const SQL: &str =
        "SELECT id, kind, tenant_id, last_error, attempts, replays, created_at, finished_at FROM jobs
        WHERE state = 'dead' AND ($1 IS NULL OR id < $1) AND ($3 IS NULL OR tenant_id = $3)
        ORDER BY id DESC LIMIT $2";
    sql_query(SQL)
        .bind::<Nullable<SqlUuid>, _>(after.map(|job| job.as_uuid()))
        .bind::<BigInt, _>(i64::from(limit))
        .bind::<Nullable<Text>, _>(tenant.map(TenantId::as_str))
        .load(conn)
        .await
        .or_fault()
}

#[derive(QueryableByName)]
pub(crate) struct DepthRow {
    #[diesel(sql_type = Text)]
    pub(crate) kind: String,
    #[diesel(sql_type = Text)]
    pub(crate) state: String,
    #[diesel(sql_type = BigInt)]
    pub(crate) jobs: i64,
    /// Seconds that the oldest has been due.
    #[diesel(sql_type = Double)]
    pub(crate) age: f64,
}

/// How many jobs there are of each open state; finished ones are not counted, only dead letters.
pub(crate) async fn depths(conn: &mut AsyncPgConnection, kinds: &[&'static str]) -> Result<Vec<DepthRow>> {
    const SQL: &str = "SELECT kind, state, count(*) AS jobs,
            GREATEST(extract(epoch FROM clock_timestamp() - min(run_at)), 0)::float8 AS age
        FROM jobs WHERE kind = ANY($1) AND state IN ('queued', 'running', 'dead') GROUP BY kind, state";
    sql_query(SQL).bind::<Array<Text>, _>(kinds).load(conn).await.or_fault()
}

fn shortened(text: String) -> String {
    text.chars().take(ERROR_CHARS).collect()
}
