//! Cancelling an export: the row changes at once, and whoever is making it finds out.
//!
//! Both sides take the row of the job first: who cancels asks the queue before anything else, and a worker writes in fenced
//! transactions only. So within either's transaction the other's change is seen whole or not at all.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::action::GenerateExport;
use mintmark_auth::policy::Permit;
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{BatchId, ExportId};
use serde_json::json;
use uuid::Uuid;

use super::{ExportState, find};
use crate::store::schema::export;
use crate::store::{Mandate, events};

/// Marks an export cancelled that is not finished; false when it was cancelled before.
///
/// # Errors
/// 404 when it is not the permit's brand's; 409 `EXPORT_CLOSED` when it has ended in another way.
pub async fn cancel(
    conn: &mut AsyncPgConnection,
    permit: &Permit<GenerateExport>,
    id: ExportId,
) -> Result<bool> {
    let batch_id: Option<Uuid> = diesel::update(
        export::table
            .filter(export::tenant_id.eq(permit.tenant().as_str()))
            .filter(export::brand_id.eq(permit.brand().as_uuid()))
            .filter(export::id.eq(id.as_uuid()))
            .filter(export::state.eq_any(["queued", "running"])),
    )
    .set(export::state.eq("cancelled"))
    .returning(export::batch_id)
    .get_result(conn)
    .await
    .optional()
    .or_fault()?;
    let Some(batch_id) = batch_id else {
        let state = find(conn, permit, id).await?.state;
        return if state == ExportState::Cancelled { Ok(false) } else { Err(closed(state)) };
    };
    let detail = json!({ "exportId": id });
    events::append(conn, permit, BatchId::from_uuid(batch_id), "export.cancelled", detail).await?;
    Ok(true)
}

fn closed(state: ExportState) -> Fault {
    let message = match state {
        ExportState::Ready => {
            "the export is ready: it cannot be cancelled any more, and is deleted at the end of its retention"
        }
        _ => "the export has ended already: there is nothing to cancel",
    };
    Fault::conflict("EXPORT_CLOSED", message).with("state", state.as_str())
}

/// Whether somebody cancelled the export.
pub async fn is_cancelled(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    id: ExportId,
) -> Result<bool> {
    Ok(state(conn, mandate, id).await? == ExportState::Cancelled)
}

/// Refuses to write for an export that is not being made any more.
pub(super) async fn still_running(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    id: ExportId,
) -> Result<()> {
    match state(conn, mandate, id).await? {
        ExportState::Running => Ok(()),
        state => Err(super::making::over(state)),
    }
}

async fn state(conn: &mut AsyncPgConnection, mandate: &impl Mandate, id: ExportId) -> Result<ExportState> {
    let state: String = export::table
        .filter(export::tenant_id.eq(mandate.tenant().as_str()))
        .filter(export::id.eq(id.as_uuid()))
        .select(export::state)
        .first(conn)
        .await
        .or_not_found("export")?;
    ExportState::read(&state)
}
