//! Recalls, written by the directory role.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::Permit;
use mintmark_auth::action::RevokeCodes;
use mintmark_codes::StoredHash;
use mintmark_db::Meaning;
use mintmark_fault::Fault;
use uuid::Uuid;

use super::schema::publication;
use crate::app::publication::Publication;
use crate::app::revoke::RecalledCodes;

/// Recalls a batch; answers the time by the database's clock.
pub async fn revoke_batch(
    conn: &mut AsyncPgConnection,
    permit: &Permit<RevokeCodes>,
    locked: &Publication,
) -> Result<DateTime<Utc>, Fault> {
    let own = publication::table
        .filter(publication::id.eq(locked.id))
        .filter(publication::tenant_id.eq(permit.tenant().as_str()));
    diesel::update(own)
        .set(publication::revoked_at.eq(sql::<Nullable<Timestamptz>>("clock_timestamp()")))
        .returning(publication::revoked_at.assume_not_null())
        .get_result(conn)
        .await
        .or_fault()
}

#[derive(QueryableByName)]
struct Counts {
    #[diesel(sql_type = BigInt)]
    revoked: i64,
    #[diesel(sql_type = BigInt)]
    already_revoked: i64,
    #[diesel(sql_type = BigInt)]
    unmatched: i64,
}

/// Recalls those of the codes that the publication has; the login has no other way into the table.
pub async fn revoke_codes(
    conn: &mut AsyncPgConnection,
    _permit: &Permit<RevokeCodes>,
    locked: &Publication,
    hashes: &[StoredHash],
) -> Result<RecalledCodes, Fault> {
    let hashes: Vec<Uuid> = hashes.iter().map(|hash| Uuid::from_bytes(*hash.as_bytes())).collect();
    let counts: Counts =
        diesel::sql_query("SELECT revoked, already_revoked, unmatched FROM revoke_codes($1, $2)")
            .bind::<Integer, _>(locked.id)
            .bind::<Array<SqlUuid>, _>(hashes)
            .get_result(conn)
            .await
            .or_fault()?;
    let count = |number: i64| u32::try_from(number).map_err(Fault::internal);
    Ok(RecalledCodes {
        revoked: count(counts.revoked)?,
        already_revoked: count(counts.already_revoked)?,
        unmatched: count(counts.unmatched)?,
    })
}
