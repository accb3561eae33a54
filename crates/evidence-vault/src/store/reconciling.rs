//! What is set right where rows and provider differ, and what is swept.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::Result;
use mintmark_ids::{EvidenceId, KekId, TenantId};
use uuid::Uuid;

use super::keks::{Kek, KekState, Row as KekRow};
use super::records::Row;
use super::schema::{evidence, kek};
use super::stored;
use crate::app::record::{Record, State};

/// An upload that nobody goes on with.
pub struct Abandoned {
    /// Under which id.
    pub record: EvidenceId,
    /// Where its bytes went.
    pub blob: String,
}

/// Up to `limit` uploads of the tenant's that began before `before` and never ended.
///
/// # Errors
/// 503 when the database is away.
pub async fn abandoned(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Abandoned>> {
    let rows: Vec<(Uuid, Option<String>)> = evidence::table
        .filter(evidence::tenant_id.eq(tenant.as_str()))
        .filter(evidence::state.eq(State::Uploading.as_str()))
        .filter(evidence::encrypted_blob.is_not_null())
        .filter(evidence::created_at.lt(before))
        .order(evidence::id)
        .limit(limit)
        .select((evidence::id, evidence::encrypted_blob))
        .load(conn)
        .await
        .or_fault()?;
    let read = |(id, blob): (Uuid, Option<String>)| {
        Some(Abandoned { record: EvidenceId::from_uuid(id), blob: blob? })
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Every record that is held, of every tenant, after `after`.
///
/// # Errors
/// 503 when the database is away.
pub async fn held(
    conn: &mut AsyncPgConnection,
    after: Option<EvidenceId>,
    limit: i64,
) -> Result<Vec<(TenantId, EvidenceId)>> {
    let mut query = evidence::table
        .filter(evidence::legal_hold.eq(true))
        .order(evidence::id)
        .limit(limit)
        .select((evidence::tenant_id, evidence::id))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(evidence::id.gt(after.as_uuid()));
    }
    let rows: Vec<(String, Uuid)> = query.load(conn).await.or_fault()?;
    rows.into_iter()
        .map(|(tenant, id)| Ok((stored("tenant_id", TenantId::parse(&tenant))?, EvidenceId::from_uuid(id))))
        .collect()
}

/// Every key that the rows believe to exist.
///
/// # Errors
/// 503 when the database is away.
pub async fn living_keks(conn: &mut AsyncPgConnection) -> Result<Vec<Kek>> {
    let rows: Vec<KekRow> = kek::table
        .filter(kek::state.eq_any([KekState::Active.as_str(), KekState::Closing.as_str()]))
        .order(kek::id)
        .select(KekRow::as_select())
        .load(conn)
        .await
        .or_fault()?;
    rows.into_iter().map(KekRow::read).collect()
}

/// Those of these keys that the rows call destroyed.
///
/// # Errors
/// 503 when the database is away.
pub async fn destroyed_among(conn: &mut AsyncPgConnection, ids: &[KekId]) -> Result<Vec<KekId>> {
    let ids: Vec<Uuid> = ids.iter().map(KekId::as_uuid).collect();
    let rows: Vec<Uuid> = kek::table
        .filter(kek::id.eq_any(ids))
        .filter(kek::state.eq(KekState::Destroyed.as_str()))
        .select(kek::id)
        .load(conn)
        .await
        .or_fault()?;
    Ok(rows.into_iter().map(KekId::from_uuid).collect())
}

/// Writes down a hold's key that the provider has and the rows lost in a restore. A key that closes stays closing: its hold
/// was lifted.
///
/// # Errors
/// 503 when the database is away.
pub async fn put_hold_kek(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    record: EvidenceId,
    id: KekId,
) -> Result<()> {
    let values = (
        kek::id.eq(id.as_uuid()),
        kek::tenant_id.eq(tenant.as_str()),
        kek::purpose.eq("hold"),
        kek::record_id.eq(record.as_uuid()),
        kek::state.eq(KekState::Active.as_str()),
        kek::invocations.eq(1_i64),
    );
    diesel::insert_into(kek::table).values(values).on_conflict_do_nothing().execute(conn).await.or_fault()?;
    let pending =
        kek::table.filter(kek::id.eq(id.as_uuid())).filter(kek::state.eq(KekState::Pending.as_str()));
    diesel::update(pending).set(kek::state.eq(KekState::Active.as_str())).execute(conn).await.or_fault()?;
    Ok(())
}

/// Up to `limit` stored records of the tenant's, after `after`.
///
/// # Errors
/// 503 when the database is away.
pub async fn stored_records(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    after: Option<EvidenceId>,
    limit: i64,
) -> Result<Vec<Record>> {
    let mut query = evidence::table
        .filter(evidence::tenant_id.eq(tenant.as_str()))
        .filter(evidence::state.eq(State::Stored.as_str()))
        .order(evidence::id)
        .limit(limit)
        .select(Row::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(evidence::id.gt(after.as_uuid()));
    }
    let rows: Vec<Row> = query.load(conn).await.or_fault()?;
    rows.into_iter().map(Row::read).collect()
}

/// How many stored records the tenant has.
///
/// # Errors
/// 503 when the database is away.
pub async fn count_stored(conn: &mut AsyncPgConnection, tenant: &TenantId) -> Result<u64> {
    let count: i64 = evidence::table
        .filter(evidence::tenant_id.eq(tenant.as_str()))
        .filter(evidence::state.eq(State::Stored.as_str()))
        .count()
        .get_result(conn)
        .await
        .or_fault()?;
    Ok(count.unsigned_abs())
}

/// A stored record is kept for another time from now on.
///
/// # Errors
/// 503 when the database is away.
pub async fn set_retention(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    id: EvidenceId,
    days: i32,
    expires_at: DateTime<Utc>,
) -> Result<bool> {
    let row = evidence::table
        .filter(evidence::tenant_id.eq(tenant.as_str()))
        .filter(evidence::id.eq(id.as_uuid()))
        .filter(evidence::state.eq(State::Stored.as_str()));
    let changed = diesel::update(row)
        .set((evidence::retention_days.eq(days), evidence::expires_at.eq(expires_at)))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(changed == 1)
}
