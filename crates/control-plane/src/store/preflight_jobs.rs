//! The registry of preflight jobs: what the gateway said of each when it was last taken over.

pub mod syncing;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::action::ReadPreflightRegistry;
use mintmark_auth::policy::Permit;
use mintmark_db::Meaning;
use mintmark_fault::Result;
use mintmark_ids::TenantId;
use uuid::Uuid;

use super::page::{Slice, Window};
use super::schema::preflight_job;
use super::{stored, unsigned};

/// A preflight job as the registry has it.
#[derive(Clone, Debug)]
pub struct RegisteredJob {
    /// Its place in lists.
    pub listing: Uuid,
    /// Whose.
    pub tenant: TenantId,
    /// The gateway's name for it.
    pub job: String,
    /// `s3://bucket/key`.
    pub target_file: String,
    /// Its length.
    pub target_bytes: u64,
    /// The name of its policy.
    pub policy: String,
    /// The version of its policy.
    pub policy_version: String,
    /// The batch whose codes are printed.
    pub batch: Option<String>,
    /// `recorded`, `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    pub state: String,
    /// `pass`, `pass_with_warnings`, `fail` or `incomplete`, once it succeeded.
    pub verdict: Option<String>,
    /// Why it failed: a code.
    pub failure_code: Option<String>,
    /// Why it failed: a sentence.
    pub failure_message: Option<String>,
    /// By the gateway's clock.
    pub created_at: DateTime<Utc>,
    /// By the gateway's clock.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// When this was last taken over.
    pub synced_at: DateTime<Utc>,
}

/// Which jobs of a list.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Of one tenant; none: of all.
    pub tenant: Option<TenantId>,
    /// In one state.
    pub state: Option<String>,
    /// With one verdict.
    pub verdict: Option<String>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = preflight_job)]
#[diesel(check_for_backend(diesel::pg::Pg))]
struct Row {
    listing_id: Uuid,
    tenant_id: String,
    job_id: String,
    target_file: String,
    target_bytes: i64,
    policy: String,
    policy_version: String,
    batch_id: Option<String>,
    state: String,
    verdict: Option<String>,
    failure_code: Option<String>,
    failure_message: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    synced_at: DateTime<Utc>,
}

/// The registry, those first that were seen here last.
pub async fn list(
    conn: &mut AsyncPgConnection,
    _permit: &Permit<ReadPreflightRegistry>,
    query: &Query,
    window: Window,
) -> Result<Slice<RegisteredJob>> {
    let mut jobs = preflight_job::table
        .filter(preflight_job::listing_id.lt(window.below()))
        .order(preflight_job::listing_id.desc())
        .limit(window.probe())
        .select(Row::as_select())
        .into_boxed();
    if let Some(tenant) = &query.tenant {
        jobs = jobs.filter(preflight_job::tenant_id.eq(tenant.as_str()));
    }
    if let Some(state) = &query.state {
        jobs = jobs.filter(preflight_job::state.eq(state));
    }
    if let Some(verdict) = &query.verdict {
        jobs = jobs.filter(preflight_job::verdict.eq(verdict));
    }
    let rows: Vec<Row> = jobs.load(conn).await.or_fault()?;
    let slice = window.cut(rows, |row| row.listing_id);
    let next = slice.next;
    Ok(Slice { items: slice.items.into_iter().map(read).collect::<Result<_>>()?, next })
}

fn read(row: Row) -> Result<RegisteredJob> {
    Ok(RegisteredJob {
        listing: row.listing_id,
        tenant: stored("preflight_job.tenant_id", TenantId::parse(&row.tenant_id))?,
        job: row.job_id,
        target_file: row.target_file,
        target_bytes: unsigned("preflight_job.target_bytes", row.target_bytes)?,
        policy: row.policy,
        policy_version: row.policy_version,
        batch: row.batch_id,
        state: row.state,
        verdict: row.verdict,
        failure_code: row.failure_code,
        failure_message: row.failure_message,
        created_at: row.created_at,
        updated_at: row.updated_at,
        finished_at: row.finished_at,
        synced_at: row.synced_at,
    })
}
