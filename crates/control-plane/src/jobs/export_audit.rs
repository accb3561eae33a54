//! Writing a tenant's audit log to a file, page by page, and deleting it again.

use std::io::Write as _;
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use mintmark_auth::Actor;
use mintmark_fault::Fault;
use mintmark_ids::TenantId;
use mintmark_jobs::{JobContext, JobFailure, enqueue_at};
use mintmark_objects::{ObjectWriter, fault_of_io};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::{ExpireAudit, ExportAudit, ExportAuditPayload, JobDeps, explain, stopped};
use crate::app::audit_exports::object_path;
use crate::app::pack::hex;
use crate::store::audit_exports::{self, Exported};

/// Entries that are in memory at once.
const PAGE: i64 = 1_000;

/// Runs one claim: the file is small against a pack, so a claim that takes over writes it anew, the same.
pub(super) async fn run(
    ctx: Arc<JobContext<ExportAudit>>,
    payload: ExportAuditPayload,
    deps: Arc<JobDeps>,
) -> Result<(), JobFailure> {
    let (permit, id) = (ctx.permit(), payload.export_id);
    let mut conn = deps.pool.get().await?;
    let export = audit_exports::to_make(&mut conn, permit, id).await?;
    let mut writer = deps.store.writer(&object_path(permit.tenant(), id))?;
    let (mut count, mut after) = (0_u64, None);
    loop {
        let page = audit_exports::entries(&mut conn, permit, &export, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        count += page.len() as u64;
        let whose = permit.tenant().clone();
        writer = spawn_blocking(move || write(writer, &whose, &page)).await.map_err(Fault::internal)??;
        if ctx.lost().is_cancelled() || ctx.cancel_requested() {
            return Err(stopped());
        }
    }
    drop(conn);
    let written = spawn_blocking(move || writer.finish()).await.map_err(Fault::internal)??;
    let expires_at = Utc::now() + TimeDelta::from_std(deps.retention).unwrap_or(TimeDelta::MAX);
    ctx.complete("audit_export.ready", async |conn: &mut AsyncPgConnection| {
        audit_exports::ready(conn, permit, id, count, &written, expires_at).await?;
        enqueue_at::<ExpireAudit>(conn, permit.tenant(), permit.actor(), &payload, expires_at).await?;
        Ok(())
    })
    .await?;
    Ok(())
}

/// One line of JSON for each entry. The salt opens the commitment, which is what a leaf of the audit tree will hold.
fn write(mut writer: ObjectWriter, tenant: &TenantId, page: &[Exported]) -> Result<ObjectWriter, Fault> {
    for entry in page {
        let line = json!({
            "id": entry.id,
            "at": entry.at,
            "tenantId": tenant,
            "actor": entry.actor,
            "action": entry.action,
            "resourceKind": entry.resource_kind,
            "resourceId": entry.resource_id,
            "outcome": entry.outcome,
            "traceId": entry.trace_id,
            "detail": entry.detail,
            "salt": hex(&entry.salt),
            "commitment": hex(&entry.commitment),
        });
        writeln!(writer, "{line}").map_err(fault_of_io)?;
    }
    Ok(writer)
}

/// Writes down why an export was not made.
pub(super) async fn dead(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    _actor: Actor,
    payload: ExportAuditPayload,
    reason: Fault,
) -> mintmark_fault::Result<()> {
    audit_exports::fail(conn, &tenant, payload.export_id, explain(&reason)).await
}

/// Deletes the file; deleting what is gone already is success.
pub(super) async fn expire(
    ctx: Arc<JobContext<ExpireAudit>>,
    payload: ExportAuditPayload,
    deps: Arc<JobDeps>,
) -> Result<(), JobFailure> {
    let (permit, id) = (ctx.permit(), payload.export_id);
    deps.store.delete(&object_path(permit.tenant(), id)).await?;
    ctx.complete("audit_export.expired", async |conn: &mut AsyncPgConnection| {
        audit_exports::expire(conn, permit, id).await
    })
    .await?;
    Ok(())
}
