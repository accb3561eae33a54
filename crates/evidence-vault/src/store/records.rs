//! Records.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{EvidenceId, TenantId};
use uuid::Uuid;

use super::schema::evidence;
use super::stored;
use crate::app::record::{Erasure, Record, State, Subject, SubjectKind};

/// All columns of a record.
#[derive(Queryable, Selectable)]
#[diesel(table_name = evidence, check_for_backend(diesel::pg::Pg))]
pub(super) struct Row {
    id: Uuid,
    tenant_id: String,
    subject_kind: String,
    subject_id: String,
    media_type: String,
    state: String,
    bytes: i64,
    encrypted_blob: Option<String>,
    ciphertext_sha256: Option<Vec<u8>>,
    sealed_digest: Option<Vec<u8>>,
    uploaded_by: String,
    created_at: DateTime<Utc>,
    retention_days: i32,
    expires_at: DateTime<Utc>,
    legal_hold: bool,
    erased_at: Option<DateTime<Utc>>,
    erasure_nonce: Option<Uuid>,
    erased_by: Option<String>,
    shredded_at: Option<DateTime<Utc>>,
    deleted_at: Option<DateTime<Utc>>,
}

impl Row {
    pub(super) fn read(self) -> Result<Record> {
        let erasure = match (self.erased_at, self.erasure_nonce, self.erased_by) {
            (Some(at), Some(nonce), Some(by)) => Some(Erasure { at, nonce, by }),
            _ => None,
        };
        Ok(Record {
            id: EvidenceId::from_uuid(self.id),
            tenant: stored("tenant_id", TenantId::parse(&self.tenant_id))?,
            subject: Subject { kind: SubjectKind::read(&self.subject_kind)?, id: self.subject_id },
            media_type: self.media_type,
            state: State::read(&self.state)?,
            bytes: self.bytes.unsigned_abs(),
            blob: self.encrypted_blob,
            ciphertext_sha256: self
                .ciphertext_sha256
                .map(|bytes| stored("ciphertext_sha256", bytes.try_into().map_err(|_| "not 32 bytes")))
                .transpose()?,
            sealed_digest: self.sealed_digest,
            uploaded_by: self.uploaded_by,
            created_at: self.created_at,
            retention_days: self.retention_days,
            expires_at: self.expires_at,
            legal_hold: self.legal_hold,
            erasure,
            shredded_at: self.shredded_at,
            deleted_at: self.deleted_at,
        })
    }
}

/// How a row is kept from changing until the transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Not at all.
    No,
    /// Nobody may change it: `FOR SHARE`.
    Share,
    /// It will be changed: `FOR UPDATE`.
    Update,
}

/// A record of the tenant's that is evidence, `uploading` rows therefore not.
///
/// # Errors
/// 404.
pub async fn find(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    id: EvidenceId,
    lock: Lock,
) -> Result<Record> {
    let found = find_any(conn, tenant, id, lock).await?;
    found.filter(|record| record.state != State::Uploading).ok_or_else(|| Fault::not_found("evidence record"))
}

/// The same, `uploading` or not.
///
/// # Errors
/// 503 when the database is away.
pub async fn find_any(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    id: EvidenceId,
    lock: Lock,
) -> Result<Option<Record>> {
    let query = evidence::table
        .filter(evidence::id.eq(id.as_uuid()))
        .filter(evidence::tenant_id.eq(tenant.as_str()))
        .select(Row::as_select());
    let row: Option<Row> = match lock {
        Lock::No => query.first(conn).await,
        Lock::Share => query.for_share().first(conn).await,
        Lock::Update => query.for_update().first(conn).await,
    }
    .optional()
    .or_fault()?;
    row.map(Row::read).transpose()
}

/// Up to `limit` records of a subject, newest first, older than `after`; of one uploader where that is said.
///
/// # Errors
/// 503 when the database is away.
pub async fn list(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    subject: &Subject,
    uploaded_by: Option<&str>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Record>> {
    let mut query = evidence::table
        .filter(evidence::tenant_id.eq(tenant.as_str()))
        .filter(evidence::subject_kind.eq(subject.kind.as_str()))
        .filter(evidence::subject_id.eq(&subject.id))
        .filter(evidence::state.ne(State::Uploading.as_str()))
        .order(evidence::id.desc())
        .limit(limit)
        .select(Row::as_select())
        .into_boxed();
    if let Some(uploader) = uploaded_by {
        query = query.filter(evidence::uploaded_by.eq(uploader.to_owned()));
    }
    if let Some(after) = after {
        query = query.filter(evidence::id.lt(after));
    }
    let rows: Vec<Row> = query.load(conn).await.or_fault()?;
    rows.into_iter().map(Row::read).collect()
}

/// An upload that begins.
pub struct NewRecord<'a> {
    /// `evd_…`, chosen by the control plane.
    pub id: EvidenceId,
    /// Whose.
    pub tenant: &'a TenantId,
    /// Of what it is evidence.
    pub subject: &'a Subject,
    /// What it is.
    pub media_type: &'a str,
    /// Where its bytes go.
    pub blob: &'a str,
    /// In whose name.
    pub uploaded_by: &'a str,
    /// How long it is kept.
    pub retention_days: i32,
}

/// Writes down that an upload begins, and where its bytes go. Of an upload under the same id that never came to its end the
/// row is taken over: gives back where that one's bytes went. Within a transaction.
///
/// # Errors
/// 409 `EVIDENCE_EXISTS` when a record has this id, of whichever tenant.
pub async fn begin(conn: &mut AsyncPgConnection, new: &NewRecord<'_>) -> Result<Option<String>> {
    let values = (
        evidence::id.eq(new.id.as_uuid()),
        evidence::tenant_id.eq(new.tenant.as_str()),
        evidence::subject_kind.eq(new.subject.kind.as_str()),
        evidence::subject_id.eq(&new.subject.id),
        evidence::media_type.eq(new.media_type),
        evidence::state.eq(State::Uploading.as_str()),
        evidence::encrypted_blob.eq(new.blob),
        evidence::uploaded_by.eq(new.uploaded_by),
        evidence::retention_days.eq(new.retention_days),
        evidence::expires_at.eq(diesel::dsl::sql("clock_timestamp()")),
    );
    let written = diesel::insert_into(evidence::table)
        .values(values)
        .on_conflict_do_nothing()
        .execute(conn)
        .await
        .or_fault()?;
    if written == 1 {
        return Ok(None);
    }
    let there = find_any(conn, new.tenant, new.id, Lock::Update).await?;
    let Some(left) = there.filter(|record| record.state == State::Uploading) else {
        let sentence = "a record of this id exists: upload under a new one";
        return Err(Fault::conflict("EVIDENCE_EXISTS", sentence));
    };
    diesel::update(evidence::table.filter(evidence::id.eq(new.id.as_uuid())))
        .set((
            evidence::subject_kind.eq(new.subject.kind.as_str()),
            evidence::subject_id.eq(&new.subject.id),
            evidence::media_type.eq(new.media_type),
            evidence::encrypted_blob.eq(new.blob),
            evidence::uploaded_by.eq(new.uploaded_by),
            evidence::retention_days.eq(new.retention_days),
            evidence::created_at.eq(diesel::dsl::sql("clock_timestamp()")),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(left.blob)
}

/// What an upload came to.
pub struct Stored<'a> {
    /// Length of the plaintext.
    pub bytes: i64,
    /// SHA-256 of the ciphertext.
    pub ciphertext_sha256: &'a [u8; 32],
    /// SHA-256 of the plaintext, encrypted under the record's own key.
    pub sealed_digest: &'a [u8],
    /// When it was stored: `created_at`.
    pub at: DateTime<Utc>,
    /// When it becomes due.
    pub expires_at: DateTime<Utc>,
}

/// The upload whose bytes went to `blob` is evidence from now on. False where another upload of this id has taken the row.
///
/// # Errors
/// 503 when the database is away.
pub async fn finish(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    id: EvidenceId,
    blob: &str,
    to: &Stored<'_>,
) -> Result<bool> {
    let ours = evidence::table
        .filter(evidence::id.eq(id.as_uuid()))
        .filter(evidence::tenant_id.eq(tenant.as_str()))
        .filter(evidence::state.eq(State::Uploading.as_str()))
        .filter(evidence::encrypted_blob.eq(blob));
    let changed = diesel::update(ours)
        .set((
            evidence::state.eq(State::Stored.as_str()),
            evidence::bytes.eq(to.bytes),
            evidence::ciphertext_sha256.eq(to.ciphertext_sha256.as_slice()),
            evidence::sealed_digest.eq(to.sealed_digest),
            evidence::created_at.eq(to.at),
            evidence::expires_at.eq(to.expires_at),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(changed == 1)
}

/// Forgets where an upload's bytes went, once they are gone. Does nothing where another upload has taken the row.
///
/// # Errors
/// 503 when the database is away.
pub async fn forget_blob(conn: &mut AsyncPgConnection, id: EvidenceId, blob: &str) -> Result<()> {
    let ours = evidence::table
        .filter(evidence::id.eq(id.as_uuid()))
        .filter(evidence::state.eq(State::Uploading.as_str()))
        .filter(evidence::encrypted_blob.eq(blob));
    diesel::update(ours).set(evidence::encrypted_blob.eq(None::<String>)).execute(conn).await.or_fault()?;
    Ok(())
}

/// Holds a record, or does not hold it any more.
///
/// # Errors
/// 503 when the database is away.
pub async fn set_hold(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    id: EvidenceId,
    held: bool,
) -> Result<()> {
    let row =
        evidence::table.filter(evidence::id.eq(id.as_uuid())).filter(evidence::tenant_id.eq(tenant.as_str()));
    diesel::update(row).set(evidence::legal_hold.eq(held)).execute(conn).await.or_fault()?;
    Ok(())
}
