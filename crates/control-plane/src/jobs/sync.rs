//! Telling the directory what a product is called now and where its scans lead.

use std::sync::Arc;

use mintmark_jobs::{JobContext, JobFailure};

use super::{JobDeps, SyncProduct, SyncProductPayload, refused, stopped};
use crate::store::minting;

/// Runs one claim of the job. Reads the product as it stands now; the directory keeps the newest version it has seen,
/// so that two such jobs may overtake each other.
pub(super) async fn run(
    ctx: Arc<JobContext<SyncProduct>>,
    payload: SyncProductPayload,
    deps: Arc<JobDeps>,
) -> Result<(), JobFailure> {
    let permit = ctx.permit();
    let mut conn = deps.pool.get().await?;
    let product = minting::product(&mut conn, permit, payload.product_id).await?;
    drop(conn);
    let lost = ctx.lost();
    tokio::select! {
        () = lost.cancelled() => Err(stopped()),
        put = deps.directory.put_product(permit.tenant(), product) => put.map_err(refused),
    }
}
