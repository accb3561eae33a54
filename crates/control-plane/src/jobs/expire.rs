//! Deleting the objects of an export: when its retention is over, a day after it failed, or when it was cancelled.

use std::sync::Arc;

use diesel_async::AsyncPgConnection;
use mintmark_jobs::{JobContext, JobFailure};

use super::{ExpireExport, ExpireExportPayload, JobDeps, stopped};
use crate::app::exports::{index_path, part_path};
use crate::app::pack::PartRange;
use crate::store::exports;

/// Runs one claim of the job. Deleting what is gone already is success, so it may run again at any point.
pub(super) async fn run(
    ctx: Arc<JobContext<ExpireExport>>,
    payload: ExpireExportPayload,
    deps: Arc<JobDeps>,
) -> Result<(), JobFailure> {
    let (permit, id) = (ctx.permit(), payload.export_id);
    let mut conn = deps.pool.get().await?;
    let doomed = exports::doomed(&mut conn, permit, id).await?;
    drop(conn);
    if let Some(doomed) = doomed {
        let lost = ctx.lost();
        // The index goes first: nobody should be sent to parts that are gone.
        deps.store.delete(&index_path(permit.tenant(), id)).await?;
        for range in PartRange::cut(doomed.first_serial, doomed.units, doomed.part_units) {
            if lost.is_cancelled() {
                return Err(stopped());
            }
            deps.store.delete(&part_path(permit.tenant(), id, &range)).await?;
        }
        ctx.complete("export.expired", async |conn: &mut AsyncPgConnection| {
            exports::expire(conn, permit, id).await
        })
        .await?;
    }
    Ok(())
}
