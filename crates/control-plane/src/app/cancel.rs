//! Calling a batch off while it is not published.

use diesel_async::AsyncPgConnection;
use mintmark_auth::policy::Permit;
use mintmark_auth::{Principal, action};
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Result};
use mintmark_ids::BatchId;
use mintmark_jobs::Cancel;

use super::access;
use super::batches::{Tracked, track};
use crate::job_kinds::{AbortPublication, AbortPublicationPayload};
use crate::store::batches::{self, Batch, BatchState};
use crate::store::operations;

/// Calls batches off.
#[derive(Clone)]
pub struct Cancellations {
    pool: Pool,
}

impl Cancellations {
    /// Works on the given database.
    pub fn new(pool: Pool) -> Self {
        Cancellations { pool }
    }

    /// Stops the minting of a batch for good. One that waits is cancelled at once; one that a worker has stays `minting`
    /// until the worker has given its publication up, which takes seconds. 409 `BATCH_SEALED`, `BATCH_FAILED`.
    pub async fn cancel(&self, who: &Principal, id: BatchId) -> Result<Tracked> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_batch::<action::SubmitMint>(&mut conn, who, id).await?;
        let batch = transaction("batch.cancel", &mut conn, async |conn: &mut AsyncPgConnection| {
            let batch = batches::find(conn, &permit, id).await?;
            if open(&batch)? {
                call_off(conn, &permit, &batch).await?;
            }
            let batch = batches::find(conn, &permit, id).await?;
            // Meanwhile it may have been sealed or have failed by itself.
            open(&batch)?;
            Ok(batch)
        })
        .await?;
        track(&mut conn, batch).await
    }
}

/// The job comes before the batch, as in its worker's transactions: the other way round they could wait for each other.
async fn call_off(
    conn: &mut AsyncPgConnection,
    permit: &Permit<action::SubmitMint>,
    batch: &Batch,
) -> Result<()> {
    match mintmark_jobs::request_cancel(conn, batch.job).await? {
        Cancel::Cancelled => {
            if operations::cancel(conn, permit, batch.id).await? == Some(BatchState::Minting) {
                let payload = AbortPublicationPayload { batch_id: batch.id };
                mintmark_jobs::enqueue::<AbortPublication>(conn, permit.tenant(), permit.actor(), &payload)
                    .await?;
            }
        }
        Cancel::Requested => operations::note_cancel_request(conn, permit, batch.id).await?,
        Cancel::Finished => {}
    }
    Ok(())
}

/// Whether there is something to stop; no when it is cancelled already.
fn open(batch: &Batch) -> Result<bool> {
    match batch.state {
        BatchState::Queued | BatchState::Minting => Ok(true),
        BatchState::Cancelled => Ok(false),
        BatchState::Sealed | BatchState::Revoked => Err(Fault::conflict(
            "BATCH_SEALED",
            "the batch is published already and cannot be cancelled: revoke it to have its codes recalled",
        )),
        BatchState::Failed => Err(Fault::conflict(
            "BATCH_FAILED",
            "the batch failed before, nothing of it is scannable and nothing is left to cancel",
        )),
    }
}
