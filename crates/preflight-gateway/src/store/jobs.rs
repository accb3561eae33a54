//! Jobs, as the gateway reads and changes them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::JobId;
use mintmark_objects::Pinned;
use serde_json::Value;
use uuid::Uuid;

use super::schema::preflight_job as job;
use super::{Mandate, stored};
use crate::app::intent::Intent;
use crate::app::job::{Failure, Job, State, Verdict};
use crate::app::names::JobKey;

/// The columns of a job that are read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = job, check_for_backend(diesel::pg::Pg))]
pub(super) struct Row {
    id: Uuid,
    job_id: String,
    target_file: String,
    target_etag: String,
    target_version: Option<String>,
    target_bytes: i64,
    policy: String,
    policy_version: String,
    intent: Option<Value>,
    batch_id: Option<String>,
    state: String,
    verdict: Option<String>,
    failure_code: Option<String>,
    failure_message: Option<String>,
    content_sha256: Option<Vec<u8>>,
    engine_version: Option<String>,
    queue_id: Option<Uuid>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    revision: i64,
}

impl Row {
    pub(super) fn read(self) -> Result<Job> {
        let failure = self.failure_code.zip(self.failure_message);
        Ok(Job {
            id: self.id,
            job_id: self.job_id,
            target: stored("target_file", self.target_file.parse())?,
            pin: Pinned {
                etag: self.target_etag,
                version: self.target_version,
                bytes: self.target_bytes.unsigned_abs(),
            },
            policy: self.policy,
            policy_version: self.policy_version,
            intent: stored("intent", self.intent.map(serde_json::from_value).transpose())?,
            batch: self.batch_id,
            state: State::read(&self.state)?,
            verdict: self.verdict.as_deref().map(Verdict::read).transpose()?,
            failure: failure.map(|(code, message)| Failure { code, message }),
            content_sha256: self
                .content_sha256
                .map(|bytes| stored("content_sha256", bytes.try_into().map_err(|_| "not 32 bytes")))
                .transpose()?,
            engine_version: self.engine_version,
            queue: self.queue_id,
            created_at: self.created_at,
            updated_at: self.updated_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            revision: self.revision,
        })
    }
}

/// A job to create.
pub struct NewJob<'a> {
    /// The client's name for it.
    pub key: &'a JobKey,
    /// SHA-256 of the request.
    pub request: &'a [u8; 32],
    /// `s3://bucket/key`.
    pub target_file: String,
    /// The version that was accepted.
    pub pin: &'a Pinned,
    /// The policy.
    pub policy: &'a str,
    /// Its version.
    pub policy_version: &'a str,
    /// What the product shall be.
    pub intent: Option<&'a Intent>,
    /// The batch whose codes are printed.
    pub batch: Option<&'a str>,
    /// Its job in the queue; none: it is only recorded.
    pub queue: Option<JobId>,
    /// Who asked.
    pub created_by: &'a str,
}

/// What is to change.
#[derive(Default)]
pub struct Change<'a> {
    /// Another policy, and its version.
    pub policy: Option<(&'a str, &'a str)>,
    /// Another product.
    pub intent: Option<&'a Intent>,
    /// Another batch, or none.
    pub batch: Option<Option<&'a str>>,
    /// It is started, as this job of the queue.
    pub queue: Option<JobId>,
}

#[derive(QueryableByName)]
struct Revision {
    #[diesel(sql_type = BigInt)]
    revision: i64,
}

/// The revision of the next change of one of the tenant's jobs; holds the tenant's row to the end of the transaction.
pub(super) async fn next_revision(conn: &mut AsyncPgConnection, mandate: &impl Mandate) -> Result<i64> {
    const SQL: &str =
        "UPDATE preflight_tenant SET revision = revision + 1 WHERE tenant_id = $1 RETURNING revision";
    let row: Revision =
        sql_query(SQL).bind::<Text, _>(mandate.tenant().as_str()).get_result(conn).await.or_fault()?;
    Ok(row.revision)
}

/// Creates a job under its own id; within a transaction in which [`request_of`] found none of this name.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    id: Uuid,
    new: &NewJob<'_>,
) -> Result<()> {
    let revision = next_revision(conn, mandate).await?;
    let state = if new.queue.is_some() { State::Queued } else { State::Recorded };
    let bytes = i64::try_from(new.pin.bytes).map_err(Fault::internal)?;
    diesel::insert_into(job::table)
        .values((
            job::id.eq(id),
            job::tenant_id.eq(mandate.tenant().as_str()),
            job::job_id.eq(new.key.as_str()),
            job::request_sha256.eq(new.request.as_slice()),
            job::target_file.eq(&new.target_file),
            job::target_etag.eq(&new.pin.etag),
            job::target_version.eq(&new.pin.version),
            job::target_bytes.eq(bytes),
            job::policy.eq(new.policy),
            job::policy_version.eq(new.policy_version),
            job::intent.eq(new.intent.map(serde_json::to_value).transpose().map_err(Fault::internal)?),
            job::batch_id.eq(new.batch),
            job::state.eq(state.as_str()),
            job::queue_id.eq(new.queue.map(|queue| queue.as_uuid())),
            job::created_by.eq(new.created_by),
            job::revision.eq(revision),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

/// Makes sure that the tenant can have jobs, and lets no other creation of the tenant's in until the transaction ends.
pub async fn hold_tenant(conn: &mut AsyncPgConnection, mandate: &impl Mandate) -> Result<()> {
    const SQL: &str = "INSERT INTO preflight_tenant (tenant_id) VALUES ($1) ON CONFLICT DO NOTHING";
    const HOLD: &str = "SELECT revision FROM preflight_tenant WHERE tenant_id = $1 FOR UPDATE";
    let tenant = mandate.tenant().as_str();
    sql_query(SQL).bind::<Text, _>(tenant).execute(conn).await.or_fault()?;
    let _held: Revision = sql_query(HOLD).bind::<Text, _>(tenant).get_result(conn).await.or_fault()?;
    Ok(())
}

/// The fingerprint of the request that created the job of this name, if there is one, and the job.
pub async fn created(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    key: &JobKey,
) -> Result<Option<(Vec<u8>, Job)>> {
    let found: Option<(Vec<u8>, Row)> = job::table
        .filter(job::tenant_id.eq(mandate.tenant().as_str()))
        .filter(job::job_id.eq(key.as_str()))
        .select((job::request_sha256, Row::as_select()))
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    found.map(|(request, row)| Ok((request, row.read()?))).transpose()
}

/// A job of the tenant's.
///
/// # Errors
/// 404.
pub async fn find(conn: &mut AsyncPgConnection, mandate: &impl Mandate, key: &JobKey) -> Result<Job> {
    let found = created(conn, mandate, key).await?;
    found.map(|(_, job)| job).ok_or_else(|| Fault::not_found("job"))
}

/// The same, held until the transaction ends. Hold its job of the queue before: workers do so in this order.
///
/// # Errors
/// 404.
pub async fn find_held(conn: &mut AsyncPgConnection, mandate: &impl Mandate, key: &JobKey) -> Result<Job> {
    let found: Option<Row> = job::table
        .filter(job::tenant_id.eq(mandate.tenant().as_str()))
        .filter(job::job_id.eq(key.as_str()))
        .select(Row::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    found.ok_or_else(|| Fault::not_found("job"))?.read()
}

/// Which jobs a list is of.
#[derive(Default)]
pub struct Filter<'a> {
    /// In this state.
    pub state: Option<State>,
    /// With this verdict.
    pub verdict: Option<Verdict>,
    /// Of this batch.
    pub batch: Option<&'a str>,
}

/// Up to `limit` of the tenant's jobs, newest first, older than `after`.
pub async fn list(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    filter: &Filter<'_>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Job>> {
    let mut query = job::table
        .filter(job::tenant_id.eq(mandate.tenant().as_str()))
        .order(job::id.desc())
        .limit(limit)
        .select(Row::as_select())
        .into_boxed();
    if let Some(state) = filter.state {
        query = query.filter(job::state.eq(state.as_str()));
    }
    if let Some(verdict) = filter.verdict {
        query = query.filter(job::verdict.eq(verdict.as_str()));
    }
    if let Some(batch) = filter.batch {
        query = query.filter(job::batch_id.eq(batch.to_owned()));
    }
    if let Some(after) = after {
        query = query.filter(job::id.lt(after));
    }
    let rows: Vec<Row> = query.load(conn).await.or_fault()?;
    rows.into_iter().map(Row::read).collect()
}

/// Changes a job that is held.
pub async fn change(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    id: Uuid,
    change: &Change<'_>,
) -> Result<()> {
    #[derive(AsChangeset)]
    #[diesel(table_name = job)]
    struct Changes<'a> {
        policy: Option<&'a str>,
        policy_version: Option<&'a str>,
        intent: Option<Value>,
        batch_id: Option<Option<&'a str>>,
        state: Option<&'static str>,
        queue_id: Option<Uuid>,
        revision: i64,
    }
    let changes = Changes {
        policy: change.policy.map(|(name, _)| name),
        policy_version: change.policy.map(|(_, version)| version),
        intent: change.intent.map(serde_json::to_value).transpose().map_err(Fault::internal)?,
        batch_id: change.batch,
        state: change.queue.map(|_| State::Queued.as_str()),
        queue_id: change.queue.map(|queue| queue.as_uuid()),
        revision: next_revision(conn, mandate).await?,
    };
    diesel::update(job::table.filter(job::id.eq(id)).filter(job::tenant_id.eq(mandate.tenant().as_str())))
        .set((changes, job::updated_at.eq(diesel::dsl::sql("clock_timestamp()"))))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

/// Ends a held job that no worker has: it is cancelled.
pub async fn cancel(conn: &mut AsyncPgConnection, mandate: &impl Mandate, id: Uuid) -> Result<()> {
    const SQL: &str = "UPDATE preflight_job
        SET state = 'cancelled', finished_at = clock_timestamp(), updated_at = clock_timestamp(), revision = $3
        WHERE id = $1 AND tenant_id = $2 AND state IN ('recorded', 'queued', 'running')";
    let revision = next_revision(conn, mandate).await?;
    sql_query(SQL)
        .bind::<diesel::sql_types::Uuid, _>(id)
        .bind::<Text, _>(mandate.tenant().as_str())
        .bind::<BigInt, _>(revision)
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}
