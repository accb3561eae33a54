//! A tenant's audit log as a file (`exports:read`).

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use mintmark_audit::{self as audit, AuditEvent};
use mintmark_auth::Principal;
use mintmark_auth::action::ExportAuditLog;
use mintmark_auth::policy::Permit;
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::{ExportId, TenantId};
use mintmark_objects::{SignedUrl, Store};
use serde_json::json;

use super::access;
use crate::job_kinds::{ExportAudit, ExportAuditPayload};
use crate::store::audit_exports::{self, AuditExport};
use crate::store::page::{Slice, Window};

/// How long a download URL lives, as those of packs.
const URL_TTL: Duration = Duration::from_secs(300);

/// What people and programs do with exports of the audit.
#[derive(Clone)]
pub struct AuditExports {
    pool: Pool,
    store: Store,
}

impl AuditExports {
    /// Files lie in `store`.
    pub fn new(pool: Pool, store: Store) -> Self {
        AuditExports { pool, store }
    }

    /// Asks for the entries of the caller's tenant in a time; until now where no end is given.
    pub async fn create(
        &self,
        who: &Principal,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
    ) -> Result<AuditExport> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<ExportAuditLog> = access::to_own_tenant(&mut conn, who).await?;
        let to = to.unwrap_or_else(Utc::now);
        if from.is_some_and(|from| from >= to) {
            return Err(Fault::invalid("RANGE_EMPTY", "from", "from must lie before to"));
        }
        let id = ExportId::new();
        transaction("audit_export.create", &mut conn, async |conn: &mut AsyncPgConnection| {
            let (of, by) = (permit.tenant(), permit.actor());
            let job =
                mintmark_jobs::enqueue::<ExportAudit>(conn, of, by, &ExportAuditPayload { export_id: id })
                    .await?;
            let export = audit_exports::insert(conn, &permit, id, job, (from, to)).await?;
            let detail = json!({ "from": from, "to": to });
            let act =
                AuditEvent::allowed(Some(of), by, "AUDIT_EXPORT_REQUESTED", ("audit_export", id), detail);
            audit::record(conn, &act).await?;
            Ok(export)
        })
        .await
    }

    /// One export.
    pub async fn find(&self, who: &Principal, id: ExportId) -> Result<AuditExport> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<ExportAuditLog> = access::to_own_tenant(&mut conn, who).await?;
        audit_exports::find(&mut conn, &permit, id).await
    }

    /// All that are known, newest first.
    pub async fn list(&self, who: &Principal, window: Window) -> Result<Slice<AuditExport>> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<ExportAuditLog> = access::to_own_tenant(&mut conn, who).await?;
        audit_exports::list(&mut conn, &permit, window).await
    }

    /// A URL for the file of a ready export; the download is in the audit before the URL leaves.
    ///
    /// # Errors
    /// 409 `EXPORT_NOT_READY`; 410 `EXPORT_EXPIRED`.
    pub async fn download(&self, who: &Principal, id: ExportId) -> Result<(AuditExport, SignedUrl)> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<ExportAuditLog> = access::to_own_tenant(&mut conn, who).await?;
        let export = audit_exports::find(&mut conn, &permit, id).await?;
        let sha256 = fetchable(&export)?;
        transaction("audit_export.download", &mut conn, async |conn: &mut AsyncPgConnection| {
            let (of, by) = (Some(permit.tenant()), permit.actor());
            let act = AuditEvent::allowed(of, by, "AUDIT_EXPORT_DOWNLOADED", ("audit_export", id), json!({}));
            audit::record(conn, &act).await
        })
        .await?;
        drop(conn);
        let path = object_path(permit.tenant(), id);
        let url = self.store.signed_get(&path, URL_TTL, &format!("audit-{id}.ndjson"), &sha256).await?;
        Ok((export, url))
    }
}

fn fetchable(export: &AuditExport) -> Result<[u8; 32]> {
    match (export.state.as_str(), export.sha256.as_deref().map(TryInto::try_into)) {
        ("ready", Some(Ok(sha256))) => Ok(sha256),
        ("ready", _) => Err(Fault::internal("a ready audit export has no hash")),
        ("expired", _) => Err(Fault::new(
            Kind::Gone,
            "EXPORT_EXPIRED",
            "the export was deleted at the end of its retention: ask for a new one",
        )),
        ("failed", _) => Err(Fault::conflict("EXPORT_NOT_READY", "the export failed: ask for a new one")),
        _ => Err(Fault::conflict(
            "EXPORT_NOT_READY",
            "the export is still being made: ask again when its state is ready",
        )),
    }
}

/// The file of an export: `audit-exports/{tenant}/{export}.ndjson`.
pub fn object_path(tenant: &TenantId, id: ExportId) -> String {
    format!("audit-exports/{tenant}/{id}.ndjson")
}
