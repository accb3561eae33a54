//! The end of key-encryption keys: which are to be closed, what still refers to them, and that they are gone.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Date;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::Result;
use mintmark_ids::{EvidenceId, KekId, TenantId};
use uuid::Uuid;

use super::keks::{Kek, KekState, Row};
use super::schema::{evidence, evidence_key, kek};
use crate::app::record::State;

/// A key that is wrapped under a key that closes.
#[derive(Clone, Debug)]
pub struct Survivor {
    /// Whose it is.
    pub record: EvidenceId,
    /// When the record is due.
    pub expires_at: DateTime<Utc>,
}

/// The tenant's keys of this state, oldest first.
///
/// # Errors
/// 503 when the database is away.
pub async fn in_state(conn: &mut AsyncPgConnection, tenant: &TenantId, state: KekState) -> Result<Vec<Kek>> {
    let rows: Vec<Row> = kek::table
        .filter(kek::tenant_id.eq(tenant.as_str()))
        .filter(kek::state.eq(state.as_str()))
        .order(kek::id)
        .select(Row::as_select())
        .load(conn)
        .await
        .or_fault()?;
    rows.into_iter().map(Row::read).collect()
}

/// The tenant's keys of periods that take records still; only those whose period is over where that is asked.
///
/// # Errors
/// 503 when the database is away.
pub async fn open_periods(conn: &mut AsyncPgConnection, tenant: &TenantId, over: bool) -> Result<Vec<Kek>> {
    let mut query = kek::table
        .filter(kek::tenant_id.eq(tenant.as_str()))
        .filter(kek::purpose.eq("period"))
        .filter(kek::state.eq_any([KekState::Pending.as_str(), KekState::Active.as_str()]))
        .order(kek::id)
        .select(Row::as_select())
        .into_boxed();
    if over {
        query =
            query.filter(kek::period_end.le(diesel::dsl::sql::<diesel::sql_types::Nullable<Date>>(
                "(now() AT TIME ZONE 'utc')::date",
            )));
    }
    let rows: Vec<Row> = query.load(conn).await.or_fault()?;
    rows.into_iter().map(Row::read).collect()
}

/// Up to `limit` stored records whose keys are wrapped under this one, after `after`.
///
/// # Errors
/// 503 when the database is away.
pub async fn survivors(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    id: KekId,
    after: Option<EvidenceId>,
    limit: i64,
) -> Result<Vec<Survivor>> {
    let mut query = evidence_key::table
        .inner_join(evidence::table.on(evidence::id.eq(evidence_key::record_id)))
        .filter(evidence_key::kek_id.eq(id.as_uuid()))
        .filter(evidence::tenant_id.eq(tenant.as_str()))
        .filter(evidence::state.eq(State::Stored.as_str()))
        .order(evidence::id)
        .limit(limit)
        .select((evidence::id, evidence::expires_at))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(evidence::id.gt(after.as_uuid()));
    }
    let rows: Vec<(Uuid, DateTime<Utc>)> = query.load(conn).await.or_fault()?;
    Ok(rows
        .into_iter()
        .map(|(record, expires_at)| Survivor { record: EvidenceId::from_uuid(record), expires_at })
        .collect())
}

/// How many keys are wrapped under this one.
///
/// # Errors
/// 503 when the database is away.
pub async fn references(conn: &mut AsyncPgConnection, id: KekId) -> Result<u64> {
    let count: i64 = evidence_key::table
        .filter(evidence_key::kek_id.eq(id.as_uuid()))
        .count()
        .get_result(conn)
        .await
        .or_fault()?;
    Ok(count.unsigned_abs())
}

/// A key that closes and that nothing refers to, locked: nothing ever will, because records commit under active keys alone.
///
/// # Errors
/// 503 when the database is away.
pub async fn lock_unused(conn: &mut AsyncPgConnection, tenant: &TenantId, id: KekId) -> Result<Option<Kek>> {
    let row: Option<Row> = kek::table
        .filter(kek::tenant_id.eq(tenant.as_str()))
        .filter(kek::id.eq(id.as_uuid()))
        .filter(kek::state.eq(KekState::Closing.as_str()))
        .select(Row::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    match row {
        Some(row) if references(conn, id).await? == 0 => row.read().map(Some),
        _ => Ok(None),
    }
}

/// A key is destroyed, and this says so. False where it was written down before.
///
/// # Errors
/// 503 when the database is away.
pub async fn destroyed(
    conn: &mut AsyncPgConnection,
    id: KekId,
    at: DateTime<Utc>,
    certificate: &str,
) -> Result<bool> {
    let closing =
        kek::table.filter(kek::id.eq(id.as_uuid())).filter(kek::state.eq(KekState::Closing.as_str()));
    let changed = diesel::update(closing)
        .set((
            kek::state.eq(KekState::Destroyed.as_str()),
            kek::destroyed_at.eq(at),
            kek::certificate.eq(certificate),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(changed == 1)
}
