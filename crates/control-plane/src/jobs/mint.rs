//! Minting a batch: from its secret to a sealed publication in the directory.
//!
//! Every step may run again. What is published is known to the directory's ledger alone; this side keeps the state that
//! people see. The job's fence travels with every call, so the directory refuses a worker that was replaced.

use std::sync::Arc;
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use mintmark_auth::Actor;
use mintmark_codes::Partition;
use mintmark_fault::Fault;
use mintmark_ids::{BatchId, TenantId};
use mintmark_jobs::{JobContext, JobFailure};
use mintmark_wire::directory::v1::{
    AbortPublicationRequest, OpenPublicationRequest, OpenPublicationResponse, PublicationState,
    SealPublicationRequest,
};

use super::publish::publish;
use super::{
    AbortPublication, AbortPublicationPayload, JobDeps, MintBatch, MintBatchPayload, refused, stopped,
};
use crate::app::mint::MintPlan;
use crate::store::minting::{self, BatchToMint, EndedClaim};
use crate::store::scans::pulling;

/// Runs one claim of the job.
pub(super) async fn run(
    ctx: Arc<JobContext<MintBatch>>,
    payload: MintBatchPayload,
    deps: Arc<JobDeps>,
) -> Result<(), JobFailure> {
    let result = mint(&ctx, &payload, &deps).await;
    if result.is_err() && ctx.cancel_requested() {
        return cancel(&ctx, &payload, &deps).await;
    }
    result
}

async fn mint(
    ctx: &JobContext<MintBatch>,
    payload: &MintBatchPayload,
    deps: &JobDeps,
) -> Result<(), JobFailure> {
    let (permit, id) = (ctx.permit(), payload.batch_id);
    let batch = ctx
        .fenced("mint.start", async |conn: &mut AsyncPgConnection| minting::start(conn, permit, id).await)
        .await?;
    ctx.progress(0, batch.units).await?;
    let (plan, opened) = open(ctx, deps, batch).await?;
    publish(ctx, &deps.directory, permit.tenant(), &plan, opened.next_chunk).await?;
    seal(ctx, deps, &plan).await?;
    ctx.complete("mint.sealed", async |conn: &mut AsyncPgConnection| {
        minting::seal(conn, permit, id).await?;
        pulling::ensure(conn, permit.tenant(), permit.actor()).await
    })
    .await?;
    Ok(())
}

/// Makes the publication ours, and learns which partition the codes name and where to go on.
async fn open(
    ctx: &JobContext<MintBatch>,
    deps: &JobDeps,
    batch: BatchToMint,
) -> Result<(Arc<MintPlan>, OpenPublicationResponse), JobFailure> {
    let permit = ctx.permit();
    let tenant = permit.tenant();
    let secret = deps
        .code_master_key
        .unwrap(&batch.wrapped_secret, tenant, batch.batch_id)
        .map_err(|error| JobFailure::Fatal(secret_unreadable().caused_by(error)))?;
    unless_lost(ctx, deps.directory.put_product(tenant, batch.product.clone())).await?;
    let request = open_request(&batch, permit.fence());
    let opened = match unless_lost(ctx, deps.directory.open_publication(tenant, request)).await {
        Err(JobFailure::Fatal(fault)) if fault.code() == "SERIALS_OVERLAP" => {
            return Err(overlapping(ctx, batch.batch_id, fault).await);
        }
        opened => opened?,
    };
    if matches!(opened.state(), PublicationState::Aborted | PublicationState::Revoked) {
        return Err(JobFailure::Fatal(Fault::conflict(
            "PUBLICATION_CLOSED",
            "the directory has given up or revoked this batch; create a new batch for the remaining need",
        )));
    }
    let partition = u16::try_from(opened.partition)
        .ok()
        .and_then(Partition::new)
        .ok_or_else(|| Fault::internal(format!("the directory named partition {}", opened.partition)))?;
    let id = batch.batch_id;
    ctx.fenced("mint.partition", async |conn: &mut AsyncPgConnection| {
        minting::set_partition(conn, permit, id, partition).await
    })
    .await?;
    let plan = MintPlan {
        batch_id: id,
        partition,
        secret,
        first_serial: batch.first_serial,
        units: batch.units,
        chunk_units: batch.chunk_units,
    };
    Ok((Arc::new(plan), opened))
}

/// This batch fails, because its serials were promised to whoever asked for it; the product's next serial moves past
/// everything that the directory has, so that the batch that replaces it is not refused as well.
async fn overlapping(ctx: &JobContext<MintBatch>, id: BatchId, fault: Fault) -> JobFailure {
    let next = fault.members().get("nextSerial").and_then(serde_json::Value::as_u64);
    if let Some(next) = next {
        let permit = ctx.permit();
        let moved = ctx
            .fenced("mint.serials", async |conn: &mut AsyncPgConnection| {
                minting::move_serials(conn, permit, id, next).await
            })
            .await;
        if let Err(failure) = moved {
            return failure.into();
        }
    }
    JobFailure::Fatal(fault)
}

async fn seal(ctx: &JobContext<MintBatch>, deps: &JobDeps, plan: &MintPlan) -> Result<(), JobFailure> {
    let request = SealPublicationRequest { batch_id: plan.batch_id.to_string(), fence: ctx.permit().fence() };
    unless_lost(ctx, deps.directory.seal_publication(ctx.permit().tenant(), request)).await?;
    Ok(())
}

/// Gives the publication up, which stays invisible for ever, and closes the batch.
async fn cancel(
    ctx: &JobContext<MintBatch>,
    payload: &MintBatchPayload,
    deps: &JobDeps,
) -> Result<(), JobFailure> {
    /// The worker gives a cancelled handler twelve seconds.
    const LIMIT: Duration = Duration::from_secs(10);
    let (permit, id) = (ctx.permit(), payload.batch_id);
    let request = AbortPublicationRequest { batch_id: id.to_string(), fence: permit.fence() };
    let aborted =
        tokio::time::timeout(LIMIT, deps.directory.abort_publication(permit.tenant(), request)).await;
    match aborted {
        Ok(Ok(_)) => {}
        // Never opened: nothing to give up.
        Ok(Err(fault)) if fault.code() == "NOT_FOUND" => {}
        // Too late: it was sealed before, and whoever asked will see that.
        Ok(Err(fault)) if fault.code() == "PUBLICATION_CLOSED" => {
            ctx.complete("mint.sealed", async |conn: &mut AsyncPgConnection| {
                minting::seal(conn, permit, id).await
            })
            .await?;
            return Ok(());
        }
        Ok(Err(fault)) => return Err(refused(fault)),
        Err(_) => return Err(stopped()),
    }
    ctx.complete_cancelled("mint.cancelled", async |conn: &mut AsyncPgConnection| {
        minting::cancel(conn, permit, id).await
    })
    .await?;
    Ok(())
}

/// Writes down why a batch will not be minted.
pub(super) async fn dead(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    actor: Actor,
    payload: MintBatchPayload,
    reason: Fault,
) -> mintmark_fault::Result<()> {
    let claim = EndedClaim { tenant: &tenant, actor: &actor };
    minting::fail(conn, &claim, payload.batch_id, reason.code(), explain(&reason)).await
}

/// Closes a batch whose job was cancelled before it could tidy up by itself, because the directory was away: another job
/// gives the publication up as soon as it is back.
pub(super) async fn cancelled(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    actor: Actor,
    payload: MintBatchPayload,
    _reason: Fault,
) -> mintmark_fault::Result<()> {
    minting::cancel(conn, &EndedClaim { tenant: &tenant, actor: &actor }, payload.batch_id).await?;
    let abort = AbortPublicationPayload { batch_id: payload.batch_id };
    mintmark_jobs::enqueue::<AbortPublication>(conn, &tenant, &actor, &abort).await?;
    Ok(())
}

/// What happened to the batch, and what to do.
fn explain(fault: &Fault) -> &str {
    match fault.code() {
        "SERIALS_OVERLAP" => {
            "the directory already holds some of these serial numbers of the product, perhaps because the control plane \
             was restored from a backup; nothing of this batch is scannable and the product's next serial number was \
             moved past all that are published, so create a new batch"
        }
        "CODE_EXISTS" => {
            "the directory already holds one of these codes, which points to a defect; nothing of this batch is \
             scannable: report it, and do not print from it"
        }
        "CHUNK_DIFFERS" | "PUBLICATION_DIFFERS" => {
            "the directory holds other contents under this batch's id, which points to a restored database; nothing of \
             this batch is scannable, so create a new batch"
        }
        "DIRECTORY_UNAVAILABLE" => {
            "the directory did not answer for too long; an operator can replay the job, and minting goes on where it \
             stopped"
        }
        _ => super::explain(fault),
    }
}

fn open_request(batch: &BatchToMint, fence: i64) -> OpenPublicationRequest {
    OpenPublicationRequest {
        batch_id: batch.batch_id.to_string(),
        product_id: batch.product.product_id.clone(),
        mode: batch.mode.into(),
        first_serial: batch.first_serial,
        units: batch.units,
        chunk_units: batch.chunk_units,
        fence,
    }
}

fn secret_unreadable() -> Fault {
    Fault::conflict(
        "SECRET_UNREADABLE",
        "the batch's secret cannot be unwrapped with the present CODE_MASTER_KEY; restore the key that the batch was made with",
    )
}

/// Waits for a call of the directory, but not beyond the lease.
async fn unless_lost<T>(
    ctx: &JobContext<MintBatch>,
    call: impl Future<Output = mintmark_fault::Result<T>>,
) -> Result<T, JobFailure> {
    tokio::select! {
        () = ctx.lost().cancelled_owned() => Err(stopped()),
        answer = call => answer.map_err(refused),
    }
}
