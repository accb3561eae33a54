//! Giving up the publication of a batch that was cancelled while no worker had it, or while the directory was away.

use std::sync::Arc;

use mintmark_jobs::{JobContext, JobFailure};
use mintmark_wire::directory::v1::{AbortPublicationRequest, RevokeBatchRequest};

use super::{AbortPublication, AbortPublicationPayload, JobDeps, refused, stopped};

/// The mint job has ended for good, so no fence will ever come after this one.
const LAST_FENCE: i64 = i64::MAX;

/// Runs one claim of the job; each call may be repeated.
pub(super) async fn run(
    ctx: Arc<JobContext<AbortPublication>>,
    payload: AbortPublicationPayload,
    deps: Arc<JobDeps>,
) -> Result<(), JobFailure> {
    let lost = ctx.lost();
    tokio::select! {
        () = lost.cancelled() => Err(stopped()),
        ended = give_up(&ctx, &payload, &deps) => ended,
    }
}

async fn give_up(
    ctx: &JobContext<AbortPublication>,
    payload: &AbortPublicationPayload,
    deps: &JobDeps,
) -> Result<(), JobFailure> {
    let (tenant, batch_id) = (ctx.permit().tenant(), payload.batch_id.to_string());
    let request = AbortPublicationRequest { batch_id: batch_id.clone(), fence: LAST_FENCE };
    match deps.directory.abort_publication(tenant, request).await {
        Ok(_) => Ok(()),
        // Never opened: nothing to give up.
        Err(fault) if fault.code() == "NOT_FOUND" => Ok(()),
        // Sealed by a worker that died before it could say so here. The batch was cancelled since, and nothing of it was
        // ever exported or shown: a recall keeps that true.
        Err(fault) if fault.code() == "PUBLICATION_CLOSED" => deps
            .directory
            .revoke_batch(tenant, RevokeBatchRequest { batch_id })
            .await
            .map(|_recalled| ())
            .map_err(refused),
        Err(fault) => Err(refused(fault)),
    }
}
