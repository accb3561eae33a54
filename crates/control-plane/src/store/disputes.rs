//! Disputes, and which record in the vault belongs to which.

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::action::{CloseDispute, OpenDispute, UploadEvidence};
use mintmark_auth::policy::Permit;
use mintmark_auth::{DisputeClaim, DisputeState};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{DisputeId, EvidenceId};
use uuid::Uuid;

use super::Mandate;
use super::page::{Slice, Window};
use super::schema::{dispute, evidence_ref};

/// A dispute as it stands.
#[derive(Clone, Debug)]
pub struct Dispute {
    /// Its id.
    pub id: DisputeId,
    /// What the tenant calls it.
    pub reference: String,
    /// `user:usr_…`.
    pub opened_by: String,
    /// When.
    pub opened_at: DateTime<Utc>,
    /// How it was decided, once it is.
    pub closed: Option<Closed>,
}

/// How a dispute ended.
#[derive(Clone, Debug)]
pub struct Closed {
    /// `upheld`, `rejected` or `settled`.
    pub outcome: String,
    /// `user:usr_…`.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl Dispute {
    /// Whether it is still argued about.
    pub fn state(&self) -> DisputeState {
        if self.closed.is_some() { DisputeState::Closed } else { DisputeState::Open }
    }

    /// What a call to the vault says of it.
    pub fn claim(&self) -> DisputeClaim {
        DisputeClaim { id: self.id, state: self.state() }
    }
}

/// The id that an upload's key stands for.
#[derive(Clone, Copy, Debug)]
pub struct Claimed {
    /// Which record.
    pub id: EvidenceId,
    /// Whether an earlier request was given it.
    pub repeated: bool,
}

type Row = (Uuid, String, String, DateTime<Utc>, Option<String>, Option<String>, Option<DateTime<Utc>>);

const COLUMNS: (
    dispute::id,
    dispute::reference,
    dispute::opened_by,
    dispute::opened_at,
    dispute::outcome,
    dispute::closed_by,
    dispute::closed_at,
) = (
    dispute::id,
    dispute::reference,
    dispute::opened_by,
    dispute::opened_at,
    dispute::outcome,
    dispute::closed_by,
    dispute::closed_at,
);

fn read((id, reference, opened_by, opened_at, outcome, by, at): Row) -> Dispute {
    // The table has all three or none.
    let closed = match (outcome, by, at) {
        (Some(outcome), Some(by), Some(at)) => Some(Closed { outcome, by, at }),
        _ => None,
    };
    Dispute { id: DisputeId::from_uuid(id), reference, opened_by, opened_at, closed }
}

/// Opens a dispute.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    permit: &Permit<OpenDispute>,
    id: DisputeId,
    reference: &str,
) -> Result<Dispute> {
    let row: Row = diesel::insert_into(dispute::table)
        .values((
            dispute::id.eq(id.as_uuid()),
            dispute::tenant_id.eq(permit.tenant().as_str()),
            dispute::reference.eq(reference),
            dispute::opened_by.eq(permit.actor().to_string()),
        ))
        .returning(COLUMNS)
        .get_result(conn)
        .await
        .or_fault()?;
    Ok(read(row))
}

/// One dispute of the tenant.
pub async fn find(conn: &mut AsyncPgConnection, mandate: &impl Mandate, id: DisputeId) -> Result<Dispute> {
    let row: Row = dispute::table
        .filter(dispute::tenant_id.eq(mandate.tenant().as_str()))
        .filter(dispute::id.eq(id.as_uuid()))
        .select(COLUMNS)
        .first(conn)
        .await
        .or_not_found("dispute")?;
    Ok(read(row))
}

/// The dispute that a record of the tenant belongs to.
pub async fn of_evidence(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    id: EvidenceId,
) -> Result<Dispute> {
    let row: Row = evidence_ref::table
        .inner_join(dispute::table)
        .filter(evidence_ref::tenant_id.eq(mandate.tenant().as_str()))
        .filter(evidence_ref::evidence_id.eq(id.as_uuid()))
        .select(COLUMNS)
        .first(conn)
        .await
        .or_not_found("evidence")?;
    Ok(read(row))
}

/// The disputes of the tenant, newest first.
pub async fn list(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    state: Option<DisputeState>,
    window: Window,
) -> Result<Slice<Dispute>> {
    let mut wanted = dispute::table
        .filter(dispute::tenant_id.eq(mandate.tenant().as_str()))
        .filter(dispute::id.lt(window.below()))
        .select(COLUMNS)
        .into_boxed();
    wanted = match state {
        None => wanted,
        Some(DisputeState::Open) => wanted.filter(dispute::closed_at.is_null()),
        Some(DisputeState::Closed) => wanted.filter(dispute::closed_at.is_not_null()),
    };
    let rows: Vec<Row> =
        wanted.order(dispute::id.desc()).limit(window.probe()).load(conn).await.or_fault()?;
    Ok(window.cut(rows, |row| row.0).map(read))
}

/// Closes an open dispute, for good. 409 `DISPUTE_CLOSED` where it is closed already.
pub async fn close(
    conn: &mut AsyncPgConnection,
    permit: &Permit<CloseDispute>,
    id: DisputeId,
    outcome: &str,
) -> Result<Dispute> {
    let row: Option<Row> = diesel::update(
        dispute::table
            .filter(dispute::tenant_id.eq(permit.tenant().as_str()))
            .filter(dispute::id.eq(id.as_uuid()))
            .filter(dispute::closed_at.is_null()),
    )
    .set((
        dispute::outcome.eq(outcome),
        dispute::closed_by.eq(permit.actor().to_string()),
        dispute::closed_at.eq(now),
    ))
    .returning(COLUMNS)
    .get_result(conn)
    .await
    .optional()
    .or_fault()?;
    match row {
        Some(row) => Ok(read(row)),
        // Another tenant's, or closed: the first is said as a 404.
        None => find(conn, permit, id).await.and_then(|_| Err(closed())),
    }
}

/// The id under which an upload with this key is stored: a fresh one, or that of the first attempt. In a transaction of its
/// own, committed before a byte is sent.
pub async fn claim(
    conn: &mut AsyncPgConnection,
    permit: &Permit<UploadEvidence>,
    of: DisputeId,
    key_sha256: &[u8; 32],
) -> Result<Claimed> {
    let fresh = EvidenceId::new();
    let (tenant, actor) = (permit.tenant().as_str(), permit.actor().to_string());
    let inserted = diesel::insert_into(evidence_ref::table)
        .values((
            evidence_ref::evidence_id.eq(fresh.as_uuid()),
            evidence_ref::tenant_id.eq(tenant),
            evidence_ref::dispute_id.eq(of.as_uuid()),
            evidence_ref::uploaded_by.eq(&actor),
            evidence_ref::key_sha256.eq(key_sha256.as_slice()),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await
        .or_fault()?;
    if inserted == 1 {
        return Ok(Claimed { id: fresh, repeated: false });
    }
    let id: Uuid = evidence_ref::table
        .filter(evidence_ref::tenant_id.eq(tenant))
        .filter(evidence_ref::uploaded_by.eq(&actor))
        .filter(evidence_ref::dispute_id.eq(of.as_uuid()))
        .filter(evidence_ref::key_sha256.eq(key_sha256.as_slice()))
        .select(evidence_ref::evidence_id)
        .first(conn)
        .await
        .or_fault()?;
    Ok(Claimed { id: EvidenceId::from_uuid(id), repeated: true })
}

/// The answer to whatever needs an open dispute.
pub fn closed() -> Fault {
    let sentence = "the dispute is closed: nothing is added to it or decided about it any more";
    Fault::conflict("DISPUTE_CLOSED", sentence)
}
