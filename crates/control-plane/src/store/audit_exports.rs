//! Exports of a tenant's audit log, and the entries that go into them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_audit::export::Export;
use mintmark_auth::action::ExportAuditLog;
use mintmark_auth::policy::Permit;
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{ExportId, JobId, TenantId};
use mintmark_jobs::{JobKind, JobPermit};
use mintmark_objects::Written;
use uuid::Uuid;

use super::page::{Slice, Window};
use super::schema::audit_export;
use super::unsigned;
use crate::job_kinds::ExportAudit;

/// An export as it stands.
#[derive(Clone, Debug)]
pub struct AuditExport {
    /// Its id.
    pub id: ExportId,
    /// Not before; from the beginning where absent.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: DateTime<Utc>,
    /// `queued`, `ready`, `failed` or `expired`.
    pub state: String,
    /// How many entries the file has, once it is ready.
    pub entries: Option<u64>,
    /// Its length.
    pub bytes: Option<u64>,
    /// Of the file.
    pub sha256: Option<Vec<u8>>,
    /// Why it failed.
    pub failure: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When the file is deleted.
    pub expires_at: Option<DateTime<Utc>>,
}

type Row = (
    Uuid,
    Option<DateTime<Utc>>,
    DateTime<Utc>,
    String,
    Option<i64>,
    Option<i64>,
    Option<Vec<u8>>,
    Option<String>,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
);

const COLUMNS: (
    audit_export::id,
    audit_export::from_at,
    audit_export::to_at,
    audit_export::state,
    audit_export::entries,
    audit_export::bytes,
    audit_export::sha256,
    audit_export::failure,
    audit_export::created_at,
    audit_export::expires_at,
) = (
    audit_export::id,
    audit_export::from_at,
    audit_export::to_at,
    audit_export::state,
    audit_export::entries,
    audit_export::bytes,
    audit_export::sha256,
    audit_export::failure,
    audit_export::created_at,
    audit_export::expires_at,
);

fn read(
    (id, from, to, state, entries, bytes, sha256, failure, created_at, expires_at): Row,
) -> Result<AuditExport> {
    Ok(AuditExport {
        id: ExportId::from_uuid(id),
        from,
        to,
        state,
        entries: entries.map(|count| unsigned("audit_export.entries", count)).transpose()?,
        bytes: bytes.map(|count| unsigned("audit_export.bytes", count)).transpose()?,
        sha256,
        failure,
        created_at,
        expires_at,
    })
}

/// Notes that an export was asked for, whose job is enqueued in the same transaction.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    permit: &Permit<ExportAuditLog>,
    id: ExportId,
    job: JobId,
    (from, to): (Option<DateTime<Utc>>, DateTime<Utc>),
) -> Result<AuditExport> {
    let row: Row = diesel::insert_into(audit_export::table)
        .values((
            audit_export::id.eq(id.as_uuid()),
            audit_export::tenant_id.eq(permit.tenant().as_str()),
            audit_export::actor.eq(permit.actor().to_string()),
            audit_export::from_at.eq(from),
            audit_export::to_at.eq(to),
            audit_export::job_id.eq(job.as_uuid()),
        ))
        .returning(COLUMNS)
        .get_result(conn)
        .await
        .or_fault()?;
    read(row)
}

/// One export of the permit's tenant.
pub async fn find(
    conn: &mut AsyncPgConnection,
    permit: &Permit<ExportAuditLog>,
    id: ExportId,
) -> Result<AuditExport> {
    of_tenant(conn, permit.tenant(), id).await
}

/// One export of the job's tenant.
pub async fn to_make<K: JobKind>(
    conn: &mut AsyncPgConnection,
    permit: &JobPermit<K>,
    id: ExportId,
) -> Result<AuditExport> {
    of_tenant(conn, permit.tenant(), id).await
}

async fn of_tenant(conn: &mut AsyncPgConnection, tenant: &TenantId, id: ExportId) -> Result<AuditExport> {
    let row: Row = audit_export::table
        .filter(audit_export::tenant_id.eq(tenant.as_str()))
        .filter(audit_export::id.eq(id.as_uuid()))
        .select(COLUMNS)
        .first(conn)
        .await
        .or_not_found("export")?;
    read(row)
}

/// The exports of the permit's tenant, newest first.
pub async fn list(
    conn: &mut AsyncPgConnection,
    permit: &Permit<ExportAuditLog>,
    window: Window,
) -> Result<Slice<AuditExport>> {
    let rows: Vec<Row> = audit_export::table
        .filter(audit_export::tenant_id.eq(permit.tenant().as_str()))
        .filter(audit_export::id.lt(window.below()))
        .select(COLUMNS)
        .order(audit_export::id.desc())
        .limit(window.probe())
        .load(conn)
        .await
        .or_fault()?;
    let slice = window.cut(rows, |row| row.0);
    let next = slice.next;
    let items = slice.items.into_iter().map(read).collect::<Result<_>>()?;
    Ok(Slice { items, next })
}

/// The lines of an export: the tenant's part of the log, and what no checkpoint covers yet.
pub async fn log(
    conn: &mut AsyncPgConnection,
    permit: &JobPermit<ExportAudit>,
    export: &AuditExport,
) -> Result<Export> {
    Export::begin(conn, permit.tenant(), export.from, Some(export.to)).await
}

/// The file is there, and will be deleted at `expires_at`.
pub async fn ready(
    conn: &mut AsyncPgConnection,
    permit: &JobPermit<ExportAudit>,
    id: ExportId,
    entries: u64,
    written: &Written,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    let too_many = |_| Fault::internal("more than 2^63 of anything");
    diesel::update(this(permit.tenant(), id))
        .set((
            audit_export::state.eq("ready"),
            audit_export::entries.eq(i64::try_from(entries).map_err(too_many)?),
            audit_export::bytes.eq(i64::try_from(written.bytes).map_err(too_many)?),
            audit_export::sha256.eq(written.sha256.as_slice()),
            audit_export::failure.eq(None::<String>),
            audit_export::expires_at.eq(expires_at),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

/// The job was given up; `tenant` is that of the job that ended.
pub async fn fail(conn: &mut AsyncPgConnection, tenant: &TenantId, id: ExportId, why: &str) -> Result<()> {
    diesel::update(this(tenant, id).filter(audit_export::state.eq("queued")))
        .set((audit_export::state.eq("failed"), audit_export::failure.eq(why)))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

/// The file is gone.
pub async fn expire<K: JobKind>(
    conn: &mut AsyncPgConnection,
    permit: &JobPermit<K>,
    id: ExportId,
) -> Result<()> {
    diesel::update(this(permit.tenant(), id))
        .set(audit_export::state.eq("expired"))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

type This = diesel::dsl::Filter<
    diesel::dsl::Filter<audit_export::table, diesel::dsl::Eq<audit_export::tenant_id, String>>,
    diesel::dsl::Eq<audit_export::id, Uuid>,
>;

fn this(tenant: &TenantId, id: ExportId) -> This {
    audit_export::table
        .filter(audit_export::tenant_id.eq(tenant.to_string()))
        .filter(audit_export::id.eq(id.as_uuid()))
}
