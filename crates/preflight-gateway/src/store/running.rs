//! Jobs, as their worker changes them: inside the fenced transactions of a claim, or in the one that buries it.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Binary, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::TenantId;
use uuid::Uuid;

use super::Mandate;
use super::jobs::{Row, next_revision};
use super::schema::{preflight_job as job, preflight_policy as policy, preflight_report as report};
use crate::app::job::{Failure, Job, Verdict};

/// The tenant of a job that its queue buries: the queue's row says it, and no permit is left by then.
pub struct Buried(pub TenantId);

impl Mandate for Buried {
    fn tenant(&self) -> &TenantId {
        &self.0
    }
}

/// Longest message, in characters; the table allows 1,000.
const MESSAGE_CHARS: usize = 900;

/// The job is taken up; answers it as it stands then. A claim that takes over finds it running already.
///
/// # Errors
/// 404 when it has ended in the meantime.
pub async fn start(conn: &mut AsyncPgConnection, mandate: &impl Mandate, id: Uuid) -> Result<Job> {
    const SQL: &str = "UPDATE preflight_job
        SET state = 'running', started_at = coalesce(started_at, clock_timestamp()), updated_at = clock_timestamp(),
            revision = $3
        WHERE id = $1 AND tenant_id = $2 AND state = 'queued'";
    let found: Option<Row> = job::table
        .filter(job::id.eq(id))
        .filter(job::tenant_id.eq(mandate.tenant().as_str()))
        .filter(job::state.eq_any(["queued", "running"]))
        .select(Row::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    let found = found.ok_or_else(|| Fault::not_found("job"))?.read()?;
    if found.started_at.is_none() {
        let revision = next_revision(conn, mandate).await?;
        sql_query(SQL)
            .bind::<SqlUuid, _>(id)
            .bind::<Text, _>(mandate.tenant().as_str())
            .bind::<BigInt, _>(revision)
            .execute(conn)
            .await
            .or_fault()?;
    }
    Ok(found)
}

/// The document of a version of a policy of the tenant's own.
///
/// # Errors
/// 404.
pub async fn policy(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    name: &str,
    version: i32,
) -> Result<String> {
    let found: Option<String> = policy::table
        .find((mandate.tenant().as_str(), name, version))
        .select(policy::document)
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    found.ok_or_else(|| Fault::not_found("policy"))
}

/// How a job ended well.
pub struct Success<'a> {
    /// SHA-256 of what was read.
    pub content: &'a [u8; 32],
    /// The engine whose facts were judged.
    pub engine: &'a str,
    /// What the policy says.
    pub verdict: Verdict,
    /// The report as it is served.
    pub report: &'a str,
}

/// The job has its report.
pub async fn succeed(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    id: Uuid,
    success: &Success<'_>,
) -> Result<()> {
    const SQL: &str = "UPDATE preflight_job
        SET state = 'succeeded', verdict = $3, content_sha256 = $4, engine_version = $5,
            finished_at = clock_timestamp(), updated_at = clock_timestamp(), revision = $6
        WHERE id = $1 AND tenant_id = $2 AND state = 'running'";
    let tenant = mandate.tenant().as_str();
    let new = (report::id.eq(id), report::tenant_id.eq(tenant), report::document.eq(success.report));
    diesel::insert_into(report::table).values(new).execute(conn).await.or_fault()?;
    let revision = next_revision(conn, mandate).await?;
    let changed = sql_query(SQL)
        .bind::<SqlUuid, _>(id)
        .bind::<Text, _>(tenant)
        .bind::<Text, _>(success.verdict.as_str())
        .bind::<Binary, _>(success.content.as_slice())
        .bind::<Text, _>(success.engine)
        .bind::<BigInt, _>(revision)
        .execute(conn)
        .await
        .or_fault()?;
    if changed == 1 { Ok(()) } else { Err(Fault::conflict("JOB_ENDED", "the job has ended already")) }
}

/// The job will get no report.
pub async fn fail(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    id: Uuid,
    content: Option<&[u8; 32]>,
    failure: &Failure,
) -> Result<()> {
    const SQL: &str = "UPDATE preflight_job
        SET state = 'failed', failure_code = $3, failure_message = $4, content_sha256 = coalesce($5, content_sha256),
            finished_at = clock_timestamp(), updated_at = clock_timestamp(), revision = $6
        WHERE id = $1 AND tenant_id = $2 AND state IN ('queued', 'running')";
    let message: String = failure.message.chars().take(MESSAGE_CHARS).collect();
    let revision = next_revision(conn, mandate).await?;
    sql_query(SQL)
        .bind::<SqlUuid, _>(id)
        .bind::<Text, _>(mandate.tenant().as_str())
        .bind::<Text, _>(&failure.code)
        .bind::<Text, _>(message)
        .bind::<diesel::sql_types::Nullable<Binary>, _>(content.map(<[u8; 32]>::as_slice))
        .bind::<BigInt, _>(revision)
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}
