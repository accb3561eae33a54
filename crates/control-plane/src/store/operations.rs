//! What can be done to a batch after it was asked for: it is cancelled, recalled, or loses its secret for ever.
//!
//! Each function leaves the batch, its history and the audit in step, inside the caller's transaction.

use chrono::{DateTime, Utc};
use diesel::dsl::{count_star, now};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_audit::{self as audit, AuditEvent};
use mintmark_auth::action::{DestroyBatchSecret, RevokeBatch, SubmitMint};
use mintmark_auth::policy::Permit;
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::BatchId;
use serde_json::{Value, json};

use super::batches::BatchState;
use super::schema::{batch, export};
use super::{Mandate, events, stored};

/// The history's word for a cancellation that a worker still has to carry out.
const CANCEL_REQUESTED: &str = "batch.cancel_requested";

/// How many codes became what when some of a batch were recalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodesRevoked {
    /// Recalled now.
    pub revoked: u32,
    /// Recalled before.
    pub already_revoked: u32,
    /// Of no unit of this batch.
    pub unmatched: u32,
}

/// Closes a batch whose job was called off while it waited. `Minting` says that a worker had begun: the directory may have
/// its publication.
pub async fn cancel(
    conn: &mut AsyncPgConnection,
    permit: &Permit<SubmitMint>,
    id: BatchId,
) -> Result<Option<BatchState>> {
    close_cancelled(conn, permit, id).await
}

/// Closes a batch that is not published; tells where it stood, or nothing when it was closed already.
pub(super) async fn close_cancelled(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    id: BatchId,
) -> Result<Option<BatchState>> {
    let state = lock(conn, mandate, id).await?.0;
    if !matches!(state, BatchState::Queued | BatchState::Minting) {
        return Ok(None);
    }
    diesel::update(batch::table.find(id.as_uuid()))
        .set(batch::state.eq(BatchState::Cancelled.as_str()))
        .execute(conn)
        .await
        .or_fault()?;
    events::append(conn, mandate, id, "batch.cancelled", json!({})).await?;
    note(conn, mandate, "BATCH_CANCELLED", id, json!({ "was": state.as_str() })).await?;
    Ok(Some(state))
}

/// Notes, once, who asked for the end of a batch that a worker is minting.
pub async fn note_cancel_request(
    conn: &mut AsyncPgConnection,
    permit: &Permit<SubmitMint>,
    id: BatchId,
) -> Result<()> {
    if events::newest_actor(conn, permit, id, CANCEL_REQUESTED).await?.is_none() {
        events::append(conn, permit, id, CANCEL_REQUESTED, json!({})).await?;
        note(conn, permit, "BATCH_CANCEL_REQUESTED", id, json!({})).await?;
    }
    Ok(())
}

/// Who asked for the end of a batch that a worker was minting.
pub(super) async fn canceller(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    id: BatchId,
) -> Result<Option<mintmark_auth::Actor>> {
    events::newest_actor(conn, mandate, id, CANCEL_REQUESTED).await
}

/// Writes down that the directory is about to be told, so that no recall there is without a word here, whatever happens
/// in between. `codes` is their number, for a recall of single codes.
pub async fn announce_revocation(
    conn: &mut AsyncPgConnection,
    permit: &Permit<RevokeBatch>,
    id: BatchId,
    codes: Option<usize>,
) -> Result<()> {
    note(conn, permit, "REVOCATION_REQUESTED", id, json!({ "codes": codes })).await
}

/// Marks a batch recalled since the time that the directory says; a second time changes nothing.
pub async fn revoke(
    conn: &mut AsyncPgConnection,
    permit: &Permit<RevokeBatch>,
    id: BatchId,
    at: DateTime<Utc>,
    reason: &str,
) -> Result<()> {
    if lock(conn, permit, id).await?.0 != BatchState::Sealed {
        return Ok(());
    }
    diesel::update(batch::table.find(id.as_uuid()))
        .set((batch::state.eq(BatchState::Revoked.as_str()), batch::revoked_at.eq(at)))
        .execute(conn)
        .await
        .or_fault()?;
    events::append(conn, permit, id, "batch.revoked", json!({ "reason": reason })).await?;
    note(conn, permit, "BATCH_REVOKED", id, json!({ "revokedAt": at })).await
}

/// Writes down that codes of a batch were recalled: how many, never which.
pub async fn codes_revoked(
    conn: &mut AsyncPgConnection,
    permit: &Permit<RevokeBatch>,
    id: BatchId,
    counts: CodesRevoked,
    reason: &str,
) -> Result<()> {
    let CodesRevoked { revoked, already_revoked, unmatched } = counts;
    let detail = json!({ "revoked": revoked, "alreadyRevoked": already_revoked, "unmatched": unmatched });
    note(conn, permit, "CODES_REVOKED", id, detail.clone()).await?;
    let mut detail = detail;
    detail["reason"] = reason.into();
    events::append(conn, permit, id, "batch.codes_revoked", detail).await?;
    Ok(())
}

/// Removes the wrapped secret of a batch, for ever. A second time changes nothing.
///
/// # Errors
/// 409 `BATCH_OPEN` while the batch is queued or minted; 409 `EXPORT_UNDER_WAY` while a pack of it is being made.
pub async fn destroy_secret(
    conn: &mut AsyncPgConnection,
    permit: &Permit<DestroyBatchSecret>,
    id: BatchId,
) -> Result<()> {
    // A new export holds this row by its foreign key, so it is either counted below or sees the secret gone.
    let (state, destroyed) = lock(conn, permit, id).await?;
    if destroyed {
        return Ok(());
    }
    if matches!(state, BatchState::Queued | BatchState::Minting) {
        return Err(Fault::conflict(
            "BATCH_OPEN",
            format!("the batch is {state} and needs its secret: cancel it first, or wait until it is sealed"),
        ));
    }
    let under_way: i64 = export::table
        .filter(export::tenant_id.eq(permit.tenant().as_str()))
        .filter(export::batch_id.eq(id.as_uuid()))
        .filter(export::state.eq_any(["queued", "running"]))
        .select(count_star())
        .get_result(conn)
        .await
        .or_fault()?;
    if under_way > 0 {
        return Err(Fault::conflict(
            "EXPORT_UNDER_WAY",
            "an export of this batch is being made and needs the secret: wait until it has ended",
        ));
    }
    diesel::update(batch::table.find(id.as_uuid()))
        .set((
            batch::wrapped_secret.eq(None::<Vec<u8>>),
            batch::secret_key_id.eq(None::<String>),
            batch::secret_destroyed_at.eq(now),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    events::append(conn, permit, id, "batch.secret_destroyed", json!({})).await?;
    note(conn, permit, "BATCH_SECRET_DESTROYED", id, json!({ "state": state.as_str() })).await
}

/// Where a batch of the mandate's tenant stands, and whether its secret is gone; nobody else changes it until the
/// transaction ends.
async fn lock(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    id: BatchId,
) -> Result<(BatchState, bool)> {
    let (state, destroyed): (String, Option<DateTime<Utc>>) = batch::table
        .filter(batch::tenant_id.eq(mandate.tenant().as_str()))
        .filter(batch::id.eq(id.as_uuid()))
        .select((batch::state, batch::secret_destroyed_at))
        .for_update()
        .first(conn)
        .await
        .or_not_found("batch")?;
    Ok((stored("batch.state", state.parse())?, destroyed.is_some()))
}

async fn note(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    action: &'static str,
    id: BatchId,
    detail: Value,
) -> Result<()> {
    let (of, by) = (Some(mandate.tenant()), mandate.actor());
    audit::record(conn, &AuditEvent::allowed(of, by, action, ("batch", id), detail)).await?;
    Ok(())
}
