//! Batches: asked for once, minted in the background.

use std::collections::HashMap;
use std::sync::Arc;

use diesel_async::AsyncPgConnection;
use mintmark_audit::{self as audit, AuditEvent};
use mintmark_auth::policy::Permit;
use mintmark_auth::{Principal, action};
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::{BatchId, BrandId, JobId, ProductId};
use mintmark_minting::{BatchSecret, CodeMasterKey};
use serde_json::{Value, json};

use super::access;
use super::idempotency::{self, Answer, Request};
use crate::job_kinds::{MintBatch, MintBatchPayload};
use crate::store::batches::{self, Batch, BatchState, Mode, NewBatch};
use crate::store::page::{Slice, Window};
use crate::store::{events, products};

/// Units in the largest batch: its export is 200 parts, and its minting minutes.
pub const MAX_UNITS: u32 = 10_000_000;

/// What people do with batches.
#[derive(Clone)]
pub struct Batches {
    pool: Pool,
    master_key: Arc<CodeMasterKey>,
    chunk_units: u32,
}

/// A batch that somebody asks for, as it came in.
#[derive(Clone, Debug)]
pub struct Order {
    /// What to mint codes for.
    pub product: ProductId,
    /// How many.
    pub units: i64,
    /// The name of the mode.
    pub mode: String,
}

/// How much of a batch is published.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Units that are done.
    pub done: u64,
    /// Units in all.
    pub total: u64,
}

/// A batch and how far it is.
#[derive(Clone, Debug)]
pub struct Tracked {
    /// The batch.
    pub batch: Batch,
    /// How far it is.
    pub progress: Progress,
}

impl Batches {
    /// New batches are wrapped by `master_key` and published in chunks of `chunk_units`.
    pub fn new(pool: Pool, master_key: Arc<CodeMasterKey>, chunk_units: u32) -> Self {
        Batches { pool, master_key, chunk_units }
    }

    /// Takes an order: key, serial range, batch, event and job in one transaction. `render` makes the answer's body, which
    /// is kept to answer a repetition; `request` checks the key, and is asked after the caller's right.
    pub async fn submit(
        &self,
        who: &Principal,
        brand: BrandId,
        request: impl FnOnce() -> Result<Request>,
        order: Order,
        render: impl Fn(&Tracked) -> Value + Send + Sync,
    ) -> Result<Answer> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_brand::<action::SubmitMint>(&mut conn, who, brand).await?;
        let request = request()?;
        let (units, mode) = (units(order.units)?, mode(&order.mode)?);
        transaction("batch.submit", &mut conn, async |conn: &mut AsyncPgConnection| {
            idempotency::once(conn, &permit, Some(&request), async |conn: &mut AsyncPgConnection| {
                let batch = self.place(conn, &permit, order.product, units, mode).await?;
                let progress = Progress { done: 0, total: u64::from(units) };
                Ok(Answer::fresh(202, render(&Tracked { batch, progress })))
            })
            .await
        })
        .await
    }

    async fn place(
        &self,
        conn: &mut AsyncPgConnection,
        permit: &Permit<action::SubmitMint>,
        product: ProductId,
        units: u32,
        mode: Mode,
    ) -> Result<Batch> {
        let allocated = products::allocate(conn, permit, product, units).await?;
        let id = BatchId::new();
        let secret = self.master_key.wrap(&BatchSecret::generate(), permit.tenant(), id);
        let payload = MintBatchPayload { batch_id: id };
        let job =
            mintmark_jobs::enqueue::<MintBatch>(conn, permit.tenant(), permit.actor(), &payload).await?;
        let first_serial = allocated.first_serial;
        let chunk_units = self.chunk_units;
        let new = NewBatch { id, product, mode, units, first_serial, secret: &secret, chunk_units, job };
        batches::insert(conn, permit, &new).await?;
        let detail = json!({ "units": units, "mode": mode.as_str(), "firstSerial": first_serial, "productId": product });
        events::append(conn, permit, id, "batch.created", detail.clone()).await?;
        let (of, by) = (Some(permit.tenant()), permit.actor());
        audit::record(conn, &AuditEvent::allowed(of, by, "BATCH_CREATED", ("batch", id), detail)).await?;
        batches::find(conn, permit, id).await
    }

    /// One batch.
    pub async fn find(&self, who: &Principal, id: BatchId) -> Result<Tracked> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_batch::<action::ViewBatch>(&mut conn, who, id).await?;
        let batch = batches::find(&mut conn, &permit, id).await?;
        track(&mut conn, batch).await
    }

    /// The batches of a brand, newest first.
    pub async fn list(&self, who: &Principal, brand: BrandId, window: Window) -> Result<Slice<Tracked>> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_brand(&mut conn, who, brand).await?;
        let slice = batches::list(&mut conn, &permit, window).await?;
        let items = tracked(&mut conn, slice.items).await?;
        Ok(Slice { items, next: slice.next })
    }
}

/// How far one batch is.
pub(super) async fn track(conn: &mut AsyncPgConnection, batch: Batch) -> Result<Tracked> {
    tracked(conn, vec![batch]).await?.pop().ok_or_else(|| Fault::not_found("batch"))
}

/// A sealed batch is done and a queued one is not begun; for all others their jobs know, in one query, how far they came.
async fn tracked(conn: &mut AsyncPgConnection, batches: Vec<Batch>) -> Result<Vec<Tracked>> {
    let under_way =
        |batch: &Batch| !matches!(batch.state, BatchState::Sealed | BatchState::Revoked | BatchState::Queued);
    let asked: Vec<JobId> = batches.iter().filter(|batch| under_way(batch)).map(|batch| batch.job).collect();
    let jobs = if asked.is_empty() { HashMap::new() } else { mintmark_jobs::statuses(conn, &asked).await? };
    let track = |batch: Batch| {
        let total = u64::from(batch.units);
        let done = match batch.state {
            BatchState::Sealed | BatchState::Revoked => total,
            _ => jobs.get(&batch.job).map_or(0, |job| job.done.min(total)),
        };
        Tracked { batch, progress: Progress { done, total } }
    };
    Ok(batches.into_iter().map(track).collect())
}

fn units(asked: i64) -> Result<u32> {
    u32::try_from(asked).ok().filter(|units| (1..=MAX_UNITS).contains(units)).ok_or_else(|| {
        Fault::invalid("UNITS_OUT_OF_RANGE", "units", "units is a whole number from 1 to 10,000,000")
    })
}

fn mode(name: &str) -> Result<Mode> {
    name.parse().map_err(|_| {
        Fault::new(
            Kind::Unprocessable,
            "MODE_NOT_SUPPORTED",
            "this mode is not supported: use static, first_scan or confirmed_scan",
        )
        .field("mode")
        .with("supportedModes", Mode::ALL.map(Mode::as_str).to_vec())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_has_both_bounds() {
        assert_eq!(units(1).unwrap(), 1);
        assert_eq!(units(10_000_000).unwrap(), MAX_UNITS);
        for bad in [0, -1, 10_000_001, i64::MAX, i64::MIN] {
            assert_eq!(units(bad).unwrap_err().code(), "UNITS_OUT_OF_RANGE");
        }
    }

    #[test]
    fn mode_that_is_unknown_names_the_supported_ones() {
        let fault = mode("second_scan").unwrap_err();
        assert_eq!(fault.kind(), Kind::Unprocessable);
        assert_eq!(fault.members()["supportedModes"], json!(["static", "first_scan", "confirmed_scan"]));
    }
}
