//! Exports of batches, and the parts that were written for them.

mod cancelling;
mod making;

pub use cancelling::{cancel, is_cancelled};
pub use making::{Doomed, ExportToMake, doomed, expire, fail, put_part, ready, start};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::action::{DownloadExport, GenerateExport, ViewBatch};
use mintmark_auth::policy::Permit;
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{BatchId, BrandId, ExportId, JobId};
use serde_json::json;
use uuid::Uuid;

use super::batches::{Failure, secret_destroyed};
use super::page::{Slice, Window};
use super::schema::{batch, export, export_part, product};
use super::{Mandate, events, stored, unsigned};
use crate::app::pack::{FORMAT_VERSION, Formats, IndexedPart, PartRange};

/// Where an export stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportState {
    /// Waits for a worker.
    Queued,
    /// Is being made.
    Running,
    /// Can be downloaded.
    Ready,
    /// Was given up.
    Failed,
    /// Was deleted at the end of its retention.
    Expired,
    /// Was called off before it was ready.
    Cancelled,
}

impl ExportState {
    /// As it stands in the table and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    fn read(text: &str) -> Result<Self> {
        [Self::Queued, Self::Running, Self::Ready, Self::Failed, Self::Expired, Self::Cancelled]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| Fault::internal(format!("export.state holds {text}")))
    }
}

/// An export as it stands.
#[derive(Clone, Debug)]
pub struct Export {
    /// Its id.
    pub id: ExportId,
    /// The batch it shows.
    pub batch_id: BatchId,
    /// What its parts contain.
    pub formats: Formats,
    /// Where it stands.
    pub state: ExportState,
    /// Units of the whole batch.
    pub units: u64,
    /// How many parts it has or will have.
    pub parts: u64,
    /// Bytes of all parts, once it is ready.
    pub bytes: u64,
    /// The job that makes it.
    pub job_id: JobId,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When its objects are deleted, once it is ready.
    pub expires_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub failure: Option<Failure>,
}

/// A finished part.
#[derive(Clone, Debug)]
pub struct StoredPart {
    /// What it holds, and its hash.
    pub part: IndexedPart,
    /// Where it lies.
    pub object_path: String,
}

/// The index of a finished export.
#[derive(Clone, Debug)]
pub struct StoredIndex {
    /// Where it lies.
    pub object_path: String,
    /// Its size.
    pub bytes: u64,
    /// Of its content.
    pub sha256: [u8; 32],
}

/// An export to create.
#[derive(Clone, Debug)]
pub struct NewExport {
    /// Chosen by the caller, because the job that makes it names it.
    pub id: ExportId,
    /// The batch.
    pub batch_id: BatchId,
    /// What to write.
    pub formats: Formats,
    /// Units in a part.
    pub part_units: u32,
    /// The job that was enqueued for it in the same transaction.
    pub job_id: JobId,
}

/// Creates an export of a sealed batch.
///
/// # Errors
/// 404 when the batch is not the permit's brand's; 409 `BATCH_NOT_SEALED` before it is sealed and once it is recalled, 409
/// `BATCH_SECRET_DESTROYED`.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    permit: &Permit<GenerateExport>,
    new: &NewExport,
) -> Result<Export> {
    let (state, product_name, destroyed): (String, String, Option<DateTime<Utc>>) = batch::table
        .inner_join(product::table)
        .filter(batch::tenant_id.eq(permit.tenant().as_str()))
        .filter(batch::brand_id.eq(permit.brand().as_uuid()))
        .filter(batch::id.eq(new.batch_id.as_uuid()))
        .select((batch::state, product::name, batch::secret_destroyed_at))
        // Held until the export stands, so that nobody destroys the secret in between.
        .for_key_share()
        .first(conn)
        .await
        .or_not_found("batch")?;
    if destroyed.is_some() {
        return Err(secret_destroyed());
    }
    if state != "sealed" {
        return Err(Fault::conflict(
            "BATCH_NOT_SEALED",
            format!("the batch is {state}: only a sealed batch can be exported"),
        ));
    }
    let part_units: i32 = unsigned("export.part_units", new.part_units)?;
    diesel::insert_into(export::table)
        .values((
            export::id.eq(new.id.as_uuid()),
            export::tenant_id.eq(permit.tenant().as_str()),
            export::brand_id.eq(permit.brand().as_uuid()),
            export::batch_id.eq(new.batch_id.as_uuid()),
            export::formats.eq(new.formats.names()),
            export::part_units.eq(part_units),
            export::format_version.eq(FORMAT_VERSION as i32),
            export::job_id.eq(new.job_id.as_uuid()),
            export::created_by.eq(permit.actor().to_string()),
            export::product_name.eq(product_name),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    let detail = json!({ "exportId": new.id, "formats": new.formats.names() });
    events::append(conn, permit, new.batch_id, "export.created", detail).await?;
    find(conn, permit, new.id).await
}

type Row = (
    (Uuid, Uuid, Vec<String>, String, i32, i64, Uuid, DateTime<Utc>, Option<DateTime<Utc>>),
    (Option<String>, Option<String>),
    i32,
);

/// The exports of a batch, newest first.
pub async fn list(
    conn: &mut AsyncPgConnection,
    permit: &Permit<ViewBatch>,
    batch_id: BatchId,
    window: Window,
) -> Result<Slice<Export>> {
    let rows: Vec<Row> = selected()
        .filter(export::tenant_id.eq(permit.tenant().as_str()))
        .filter(export::brand_id.eq(permit.brand().as_uuid()))
        .filter(export::batch_id.eq(batch_id.as_uuid()))
        .filter(export::id.lt(window.below()))
        .order(export::id.desc())
        .limit(window.probe())
        .load(conn)
        .await
        .or_fault()?;
    let slice = window.cut(rows, |row| row.0.0);
    let next = slice.next;
    let items = slice.items.into_iter().map(read).collect::<Result<_>>()?;
    Ok(Slice { items, next })
}

/// One export of the permit's brand.
pub async fn find(conn: &mut AsyncPgConnection, permit: &impl OnExports, id: ExportId) -> Result<Export> {
    let row: Row = selected()
        .filter(export::tenant_id.eq(permit.tenant().as_str()))
        .filter(export::brand_id.eq(permit.brand().as_uuid()))
        .filter(export::id.eq(id.as_uuid()))
        .first(conn)
        .await
        .or_not_found("export")?;
    read(row)
}

/// Permits under which an export may be looked at.
pub trait OnExports: Mandate {
    /// Whose exports.
    fn brand(&self) -> BrandId;
}

impl OnExports for Permit<ViewBatch> {
    fn brand(&self) -> BrandId {
        Permit::brand(self)
    }
}

impl OnExports for Permit<GenerateExport> {
    fn brand(&self) -> BrandId {
        Permit::brand(self)
    }
}

impl OnExports for Permit<DownloadExport> {
    fn brand(&self) -> BrandId {
        Permit::brand(self)
    }
}

/// The finished parts of an export in order, and its index; the download is written into the batch's history.
pub async fn download(
    conn: &mut AsyncPgConnection,
    permit: &Permit<DownloadExport>,
    export: &Export,
) -> Result<(Vec<StoredPart>, StoredIndex)> {
    let parts = parts(conn, permit, export.id).await?;
    let (path, bytes, sha256): (Option<String>, Option<i64>, Option<Vec<u8>>) = export::table
        .filter(export::tenant_id.eq(permit.tenant().as_str()))
        .filter(export::brand_id.eq(permit.brand().as_uuid()))
        .filter(export::id.eq(export.id.as_uuid()))
        .select((export::index_path, export::index_bytes, export::index_sha256))
        .first(conn)
        .await
        .or_not_found("export")?;
    let (Some(object_path), Some(bytes), Some(sha256)) = (path, bytes, sha256) else {
        return Err(Fault::internal("a ready export has no index"));
    };
    let index = StoredIndex {
        object_path,
        bytes: unsigned("export.index_bytes", bytes)?,
        sha256: read_hash(sha256)?,
    };
    let detail = json!({ "exportId": export.id, "parts": parts.len() });
    events::append(conn, permit, export.batch_id, "export.downloaded", detail).await?;
    Ok((parts, index))
}

/// The finished parts of an export, in order.
pub async fn parts(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    id: ExportId,
) -> Result<Vec<StoredPart>> {
    type PartRow = (i32, String, i64, Vec<u8>, i64, i32);
    let rows: Vec<PartRow> = export_part::table
        .filter(export_part::tenant_id.eq(mandate.tenant().as_str()))
        .filter(export_part::export_id.eq(id.as_uuid()))
        .order(export_part::part)
        .select((
            export_part::part,
            export_part::object_path,
            export_part::bytes,
            export_part::sha256,
            export_part::first_serial,
            export_part::units,
        ))
        .load(conn)
        .await
        .or_fault()?;
    rows.into_iter()
        .map(|(part, object_path, bytes, sha256, first_serial, units)| {
            let range = PartRange {
                part: unsigned("export_part.part", part)?,
                first_serial: unsigned("export_part.first_serial", first_serial)?,
                units: unsigned("export_part.units", units)?,
            };
            let part = IndexedPart {
                range,
                bytes: unsigned("export_part.bytes", bytes)?,
                sha256: read_hash(sha256)?,
            };
            Ok(StoredPart { part, object_path })
        })
        .collect()
}

#[diesel::dsl::auto_type(no_type_alias)]
fn selected() -> _ {
    export::table.inner_join(batch::table).select((
        (
            export::id,
            export::batch_id,
            export::formats,
            export::state,
            export::part_units,
            export::bytes,
            export::job_id,
            export::created_at,
            export::expires_at,
        ),
        (export::failure_code, export::failure_message),
        batch::units,
    ))
}

fn read((row, (code, message), units): Row) -> Result<Export> {
    let (id, batch_id, formats, state, part_units, bytes, job_id, created_at, expires_at) = row;
    let units: u64 = unsigned("batch.units", units)?;
    let part_units: u64 = unsigned("export.part_units", part_units)?;
    Ok(Export {
        id: ExportId::from_uuid(id),
        batch_id: BatchId::from_uuid(batch_id),
        formats: read_formats(&formats)?,
        state: ExportState::read(&state)?,
        units,
        parts: units.div_ceil(part_units),
        bytes: unsigned("export.bytes", bytes)?,
        job_id: JobId::from_uuid(job_id),
        created_at,
        expires_at,
        failure: code.map(|code| Failure { code, message: message.unwrap_or_default() }),
    })
}

fn read_formats(names: &[String]) -> Result<Formats> {
    stored("export.formats", Formats::of(names.iter().map(String::as_str)).ok_or("an unknown format"))
}

fn read_hash(bytes: Vec<u8>) -> Result<[u8; 32]> {
    stored("sha256", bytes.try_into().map_err(|_| "not 32 bytes"))
}
