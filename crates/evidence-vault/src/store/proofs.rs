//! Proofs of erasure, and what can be said of the keys that could have opened a record.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::Result;
use mintmark_ids::EvidenceId;
use uuid::Uuid;

use super::schema::erasure_proof;

/// A proof as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Made when the record was erased; otherwise by a recovery run.
    pub erasure: bool,
    /// The PS256 JWT, the same bytes for ever.
    pub jwt: String,
}

/// The proofs of a record, oldest first.
///
/// # Errors
/// 503 when the database is away.
pub async fn of(conn: &mut AsyncPgConnection, record: EvidenceId) -> Result<Vec<Proof>> {
    let rows: Vec<(String, String)> = erasure_proof::table
        .filter(erasure_proof::record_id.eq(record.as_uuid()))
        .order((erasure_proof::created_at, erasure_proof::id))
        .select((erasure_proof::kind, erasure_proof::jwt))
        .load(conn)
        .await
        .or_fault()?;
    Ok(rows.into_iter().map(|(kind, jwt)| Proof { erasure: kind == "erasure", jwt }).collect())
}

/// Stores proofs; of those made at an erasure the first of a record wins.
///
/// # Errors
/// 503 when the database is away.
pub async fn add(conn: &mut AsyncPgConnection, proofs: &[(EvidenceId, Proof)]) -> Result<()> {
    let rows: Vec<_> = proofs
        .iter()
        .map(|(record, proof)| {
            (
                erasure_proof::id.eq(Uuid::now_v7()),
                erasure_proof::record_id.eq(record.as_uuid()),
                erasure_proof::kind.eq(if proof.erasure { "erasure" } else { "recovery" }),
                erasure_proof::jwt.eq(&proof.jwt),
            )
        })
        .collect();
    diesel::insert_into(erasure_proof::table)
        .values(rows)
        .on_conflict_do_nothing()
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}
