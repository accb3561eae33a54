//! Wrapped keys of records: a narrow table, because every row of it is erased one day.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::Result;
use mintmark_ids::{EvidenceId, KekId};
use uuid::Uuid;

use super::schema::{evidence_key as key, evidence_wrapping as wrapping};
use super::stored;
use crate::provider::WrappedDek;

/// A wrapped key as it lies in its row.
#[derive(Queryable, Selectable)]
#[diesel(table_name = key, check_for_backend(diesel::pg::Pg))]
pub(super) struct Row {
    kek_id: Uuid,
    wrapped_dek: Vec<u8>,
    iv: Vec<u8>,
    tag: Vec<u8>,
}

impl Row {
    pub(super) fn read(self) -> Result<WrappedDek> {
        let odd = |_| "not of its length";
        Ok(WrappedDek {
            kek: KekId::from_uuid(self.kek_id),
            iv: stored("iv", self.iv.try_into().map_err(odd))?,
            wrapped: stored("wrapped_dek", self.wrapped_dek.try_into().map_err(odd))?,
            tag: stored("tag", self.tag.try_into().map_err(odd))?,
        })
    }
}

/// The record's key, if it still has one.
///
/// # Errors
/// 503 when the database is away.
pub async fn find(conn: &mut AsyncPgConnection, record: EvidenceId) -> Result<Option<WrappedDek>> {
    let row: Option<Row> = key::table
        .filter(key::record_id.eq(record.as_uuid()))
        .select(Row::as_select())
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    row.map(Row::read).transpose()
}

/// Gives a record its key, or another wrapping of it. Within a transaction that shares an active key-encryption key
/// ([`super::keks::share_active`]).
///
/// # Errors
/// 503 when the database is away.
pub async fn put(conn: &mut AsyncPgConnection, record: EvidenceId, wrapped: &WrappedDek) -> Result<()> {
    let columns = (
        key::kek_id.eq(wrapped.kek.as_uuid()),
        key::wrapped_dek.eq(wrapped.wrapped.as_slice()),
        key::iv.eq(wrapped.iv.as_slice()),
        key::tag.eq(wrapped.tag.as_slice()),
    );
    diesel::insert_into(key::table)
        .values((key::record_id.eq(record.as_uuid()), columns))
        .on_conflict(key::record_id)
        .do_update()
        .set(columns)
        .execute(conn)
        .await
        .or_fault()?;
    // Backups may hold this wrapping after the row has another, or none.
    diesel::insert_into(wrapping::table)
        .values((wrapping::record_id.eq(record.as_uuid()), wrapping::kek_id.eq(wrapped.kek.as_uuid())))
        .on_conflict_do_nothing()
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}
