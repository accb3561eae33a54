//! The steps of an erasure, each for many records at once. Every statement names the state that it changes, so that a step
//! that is done already changes nothing.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::Result;
use mintmark_ids::{EvidenceId, TenantId};
use uuid::Uuid;

use super::records::Row;
use super::schema::{erasure_proof, evidence, evidence_key};
use super::stored;
use crate::app::record::{Record, State};

/// Up to `limit` records that are due, not held, and in nobody's hands: nobody else changes them until the transaction ends.
///
/// # Errors
/// 503 when the database is away.
pub async fn lock_due(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    limit: i64,
) -> Result<Vec<EvidenceId>> {
    let ids: Vec<Uuid> = evidence::table
        .filter(evidence::tenant_id.eq(tenant.as_str()))
        .filter(evidence::state.eq(State::Stored.as_str()))
        .filter(evidence::legal_hold.eq(false))
        .filter(evidence::expires_at.le(diesel::dsl::sql::<Timestamptz>("clock_timestamp()")))
        .order((evidence::expires_at, evidence::id))
        .limit(limit)
        .select(evidence::id)
        .for_update()
        .skip_locked()
        .load(conn)
        .await
        .or_fault()?;
    Ok(ids.into_iter().map(EvidenceId::from_uuid).collect())
}

/// How many records are due.
///
/// # Errors
/// 503 when the database is away.
pub async fn count_due(conn: &mut AsyncPgConnection, tenant: &TenantId) -> Result<u64> {
    let count: i64 = evidence::table
        .filter(evidence::tenant_id.eq(tenant.as_str()))
        .filter(evidence::state.eq(State::Stored.as_str()))
        .filter(evidence::legal_hold.eq(false))
        .filter(evidence::expires_at.le(diesel::dsl::sql::<Timestamptz>("clock_timestamp()")))
        .count()
        .get_result(conn)
        .await
        .or_fault()?;
    Ok(count.unsigned_abs())
}

/// The erasure of these records begins: what their proofs will say is fixed.
///
/// # Errors
/// 503 when the database is away.
pub async fn begin(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    ids: &[EvidenceId],
    by: &str,
) -> Result<usize> {
    const SQL: &str = "UPDATE evidence
        SET state = 'shredding', erased_at = clock_timestamp(), erasure_nonce = gen_random_uuid(), erased_by = $3
        WHERE tenant_id = $1 AND id = ANY($2) AND state = 'stored' AND NOT legal_hold";
    sql_query(SQL)
        .bind::<Text, _>(tenant.as_str())
        .bind::<Array<SqlUuid>, _>(uuids(ids))
        .bind::<Text, _>(by)
        .execute(conn)
        .await
        .or_fault()
}

/// The erasure of a record that has a tombstone is taken up again, whatever the row says of a hold: the row is older.
///
/// # Errors
/// 503 when the database is away.
pub async fn begin_again(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    id: EvidenceId,
    at: DateTime<Utc>,
    by: &str,
) -> Result<bool> {
    const SQL: &str = "UPDATE evidence SET state = 'shredding', legal_hold = false,
            erased_at = $3, erasure_nonce = gen_random_uuid(), erased_by = $4
        WHERE tenant_id = $1 AND id = $2 AND state = 'stored'";
    let changed = sql_query(SQL)
        .bind::<Text, _>(tenant.as_str())
        .bind::<SqlUuid, _>(id.as_uuid())
        .bind::<Timestamptz, _>(at)
        .bind::<Text, _>(by)
        .execute(conn)
        .await
        .or_fault()?;
    Ok(changed == 1)
}

/// Up to `limit` records whose erasure has begun and is not at its end, oldest first.
///
/// # Errors
/// 503 when the database is away.
pub async fn unfinished(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    state: State,
    limit: i64,
) -> Result<Vec<Record>> {
    let rows: Vec<Row> = evidence::table
        .filter(evidence::tenant_id.eq(tenant.as_str()))
        .filter(evidence::state.eq(state.as_str()))
        .filter(evidence::state.eq_any([State::Shredding.as_str(), State::Shredded.as_str()]))
        .filter(evidence::deleted_at.is_null())
        .order(evidence::id)
        .limit(limit)
        .select(Row::as_select())
        .load(conn)
        .await
        .or_fault()?;
    rows.into_iter().map(Row::read).collect()
}

/// Overwrites the wrapped keys, IVs and tags of records whose erasure has begun with zeros and deletes them, and forgets
/// their sealed digests.
///
/// # Errors
/// 503 when the database is away.
pub async fn erase_keys(conn: &mut AsyncPgConnection, tenant: &TenantId, ids: &[EvidenceId]) -> Result<()> {
    let begun: Vec<Uuid> = evidence::table
        .filter(evidence::tenant_id.eq(tenant.as_str()))
        .filter(evidence::id.eq_any(uuids(ids)))
        .filter(evidence::state.eq(State::Shredding.as_str()))
        .order(evidence::id)
        .select(evidence::id)
        .for_update()
        .load(conn)
        .await
        .or_fault()?;
    let keys = evidence_key::table.filter(evidence_key::record_id.eq_any(begun.clone()));
    diesel::update(keys)
        .set((
            evidence_key::wrapped_dek.eq([0_u8; 32].as_slice()),
            evidence_key::iv.eq([0_u8; 12].as_slice()),
            evidence_key::tag.eq([0_u8; 16].as_slice()),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    diesel::delete(evidence_key::table.filter(evidence_key::record_id.eq_any(begun.clone())))
        .execute(conn)
        .await
        .or_fault()?;
    diesel::update(evidence::table.filter(evidence::id.eq_any(begun)))
        .set(evidence::sealed_digest.eq(None::<Vec<u8>>))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

/// These records are erased. Gives back those that were not before: each is written in the audit once.
///
/// # Errors
/// 503 when the database is away.
pub async fn finish(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    ids: &[EvidenceId],
) -> Result<Vec<Record>> {
    let rows: Vec<Row> = diesel::update(
        evidence::table
            .filter(evidence::tenant_id.eq(tenant.as_str()))
            .filter(evidence::id.eq_any(uuids(ids)))
            .filter(evidence::state.eq(State::Shredding.as_str())),
    )
    .set((
        evidence::state.eq(State::Shredded.as_str()),
        evidence::shredded_at.eq(diesel::dsl::sql("clock_timestamp()")),
    ))
    .returning(Row::as_returning())
    .get_results(conn)
    .await
    .or_fault()?;
    rows.into_iter().map(Row::read).collect()
}

/// Waits for whoever ends erasures of this tenant, until the transaction ends.
///
/// # Errors
/// 503 when the database is away.
pub async fn lock_end(conn: &mut AsyncPgConnection, tenant: &TenantId) -> Result<()> {
    sql_query("SELECT pg_advisory_xact_lock(hashtextextended('evidence.shred_end:' || $1, 0))")
        .bind::<Text, _>(tenant.as_str())
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

/// The soft delete. Gives back how many it was done for: none is, twice.
///
/// # Errors
/// 503 when the database is away.
pub async fn delete(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    ids: &[EvidenceId],
) -> Result<Vec<EvidenceId>> {
    let deleted: Vec<Uuid> = diesel::update(
        evidence::table
            .filter(evidence::tenant_id.eq(tenant.as_str()))
            .filter(evidence::id.eq_any(uuids(ids)))
            .filter(evidence::state.eq(State::Shredded.as_str()))
            .filter(evidence::deleted_at.is_null()),
    )
    .set((
        evidence::deleted_at.eq(diesel::dsl::sql("clock_timestamp()")),
        evidence::encrypted_blob.eq(None::<String>),
    ))
    .returning(evidence::id)
    .get_results(conn)
    .await
    .or_fault()?;
    Ok(deleted.into_iter().map(EvidenceId::from_uuid).collect())
}

/// The proofs that these records have of their erasure.
///
/// # Errors
/// 503 when the database is away.
pub async fn proofs(conn: &mut AsyncPgConnection, ids: &[EvidenceId]) -> Result<HashMap<EvidenceId, String>> {
    let rows: Vec<(Uuid, String)> = erasure_proof::table
        .filter(erasure_proof::record_id.eq_any(uuids(ids)))
        .filter(erasure_proof::kind.eq("erasure"))
        .select((erasure_proof::record_id, erasure_proof::jwt))
        .load(conn)
        .await
        .or_fault()?;
    Ok(rows.into_iter().map(|(record, jwt)| (EvidenceId::from_uuid(record), jwt)).collect())
}

/// A tenant's name.
#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    tenant_id: String,
}

/// The tenants for whom a retention run has something to do: records that are due or half erased, keys whose period is over
/// or that wait for their destruction, uploads that were given up before `abandoned`.
///
/// # Errors
/// 503 when the database is away.
pub async fn tenants_with_work(
    conn: &mut AsyncPgConnection,
    abandoned: DateTime<Utc>,
) -> Result<Vec<TenantId>> {
    const SQL: &str = "SELECT tenant_id FROM evidence
            WHERE state = 'stored' AND NOT legal_hold AND expires_at <= clock_timestamp()
        UNION SELECT tenant_id FROM evidence
            WHERE state = 'shredding' OR (state = 'shredded' AND deleted_at IS NULL)
               OR (state = 'uploading' AND encrypted_blob IS NOT NULL AND created_at < $1)
        UNION SELECT tenant_id FROM kek
            WHERE state = 'closing' OR (state IN ('pending', 'active') AND period_end <= (now() AT TIME ZONE 'utc')::date)
        ORDER BY 1";
    let rows: Vec<Named> = sql_query(SQL).bind::<Timestamptz, _>(abandoned).load(conn).await.or_fault()?;
    rows.into_iter().map(|row| stored("tenant_id", TenantId::parse(&row.tenant_id))).collect()
}

fn uuids(ids: &[EvidenceId]) -> Vec<Uuid> {
    ids.iter().map(EvidenceId::as_uuid).collect()
}
