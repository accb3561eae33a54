//! An export as the jobs that make it and delete it see it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_codes::{Gtin, Partition};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{BatchId, ExportId, ProductId, TenantId};
use mintmark_jobs::JobPermit;
use mintmark_minting::WrappedSecret;
use serde_json::json;
use uuid::Uuid;

use super::cancelling::still_running;
use super::{ExportState, StoredIndex, StoredPart, parts, read_formats};
use crate::app::pack::{FORMAT_VERSION, Formats};
use crate::job_kinds::{ExpireExport, ExportPack};
use crate::store::batches::{secret_destroyed, wrapped};
use crate::store::minting::EndedClaim;
use crate::store::schema::{batch, export, export_part, product};
use crate::store::{events, stored, unsigned};

/// What the export job needs.
pub struct ExportToMake {
    /// The batch.
    pub batch_id: BatchId,
    /// Its product.
    pub product_id: ProductId,
    /// What labels call it: its name when the export was asked for.
    pub product_name: String,
    /// The number in each URI.
    pub gtin: Gtin,
    /// What to write.
    pub formats: Formats,
    /// Units in a part.
    pub part_units: u64,
    /// The first serial of the batch.
    pub first_serial: u64,
    /// How many units the batch has.
    pub units: u64,
    /// The partition that the batch was published to.
    pub partition: Partition,
    /// What the codes are derived from, wrapped.
    pub wrapped_secret: WrappedSecret,
    /// The parts that an earlier claim finished.
    pub finished: Vec<StoredPart>,
}

type Row = (
    (Vec<String>, String, i32, i32, String),
    (Uuid, i64, i32, Option<i16>, Option<Vec<u8>>, Option<String>),
    (Uuid, String),
);

/// Moves an export to `running` and reads it. A failed one is taken up again: that is a replayed job.
///
/// # Errors
/// 404 when it is not the job's tenant's; 409 `EXPORT_CLOSED` when it is ready or expired; 409 `EXPORT_FORMAT_CHANGED`
/// when it was asked for in another format version, because its finished parts could not be matched.
pub async fn start(
    conn: &mut AsyncPgConnection,
    permit: &JobPermit<ExportPack>,
    id: ExportId,
) -> Result<ExportToMake> {
    let tenant = permit.tenant();
    let row: Row = export::table
        .inner_join(batch::table.inner_join(product::table))
        .filter(export::tenant_id.eq(tenant.as_str()))
        .filter(export::id.eq(id.as_uuid()))
        .select((
            (
                export::formats,
                export::state,
                export::part_units,
                export::format_version,
                export::product_name,
            ),
            (
                batch::id,
                batch::first_serial,
                batch::units,
                batch::partition_id,
                batch::wrapped_secret,
                batch::secret_key_id,
            ),
            (product::id, product::gtin),
        ))
        .first(conn)
        .await
        .or_not_found("export")?;
    let (
        (formats, state, part_units, version, product_name),
        (batch_id, first, units, partition, bytes, key_id),
        (product_id, gtin),
    ) = row;
    if version != FORMAT_VERSION as i32 {
        return Err(Fault::conflict(
            "EXPORT_FORMAT_CHANGED",
            "the platform was upgraded to another pack format meanwhile: ask for a new export",
        ));
    }
    match ExportState::read(&state)? {
        ExportState::Queued | ExportState::Running | ExportState::Failed => {
            run_again(conn, tenant, id).await?;
        }
        state @ (ExportState::Ready | ExportState::Expired | ExportState::Cancelled) => {
            return Err(over(state));
        }
    }
    let partition = partition.and_then(|number| u16::try_from(number).ok()).and_then(Partition::new);
    Ok(ExportToMake {
        batch_id: BatchId::from_uuid(batch_id),
        product_id: ProductId::from_uuid(product_id),
        product_name,
        gtin: stored("product.gtin", Gtin::parse(&gtin))?,
        formats: read_formats(&formats)?,
        part_units: unsigned("export.part_units", part_units)?,
        first_serial: unsigned("batch.first_serial", first)?,
        units: unsigned("batch.units", units)?,
        partition: stored("batch.partition_id", partition.ok_or("no partition in a sealed batch"))?,
        wrapped_secret: wrapped(key_id, bytes).ok_or_else(secret_destroyed)?,
        finished: parts(conn, permit, id).await?,
    })
}

/// Why nothing is written for an export in this state.
pub(super) fn over(state: ExportState) -> Fault {
    Fault::conflict("EXPORT_CLOSED", format!("the export is {} already", state.as_str()))
}

async fn run_again(conn: &mut AsyncPgConnection, tenant: &TenantId, id: ExportId) -> Result<()> {
    diesel::update(this(tenant, id))
        .set((
            export::state.eq("running"),
            export::failure_code.eq(None::<String>),
            export::failure_message.eq(None::<String>),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

/// Notes a part whose object is complete.
///
/// # Errors
/// 409 `EXPORT_CLOSED` when the export was cancelled meanwhile.
pub async fn put_part(
    conn: &mut AsyncPgConnection,
    permit: &JobPermit<ExportPack>,
    id: ExportId,
    stored: &StoredPart,
) -> Result<()> {
    still_running(conn, permit, id).await?;
    let StoredPart { part, object_path } = stored;
    diesel::insert_into(export_part::table)
        .values((
            export_part::tenant_id.eq(permit.tenant().as_str()),
            export_part::export_id.eq(id.as_uuid()),
            export_part::part.eq(unsigned::<_, i32>("export_part.part", part.range.part)?),
            export_part::object_path.eq(object_path),
            export_part::bytes.eq(unsigned::<_, i64>("export_part.bytes", part.bytes)?),
            export_part::sha256.eq(part.sha256.as_slice()),
            export_part::first_serial
                .eq(unsigned::<_, i64>("export_part.first_serial", part.range.first_serial)?),
            export_part::units.eq(unsigned::<_, i32>("export_part.units", part.range.units)?),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

/// Marks an export ready for download until `expires_at`.
///
/// # Errors
/// 409 `EXPORT_CLOSED` when the export was cancelled meanwhile.
pub async fn ready(
    conn: &mut AsyncPgConnection,
    permit: &JobPermit<ExportPack>,
    id: ExportId,
    index: &StoredIndex,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    still_running(conn, permit, id).await?;
    let parts = parts(conn, permit, id).await?;
    let bytes: u64 = parts.iter().map(|stored| stored.part.bytes).sum();
    let batch_id: Uuid = diesel::update(this(permit.tenant(), id))
        .set((
            export::state.eq("ready"),
            export::bytes.eq(unsigned::<_, i64>("export.bytes", bytes)?),
            export::index_path.eq(&index.object_path),
            export::index_bytes.eq(unsigned::<_, i64>("export.index_bytes", index.bytes)?),
            export::index_sha256.eq(index.sha256.as_slice()),
            export::ready_at.eq(diesel::dsl::now),
            export::expires_at.eq(expires_at),
        ))
        .returning(export::batch_id)
        .get_result(conn)
        .await
        .or_not_found("export")?;
    let detail = json!({ "exportId": id, "parts": parts.len(), "bytes": bytes });
    events::append(conn, permit, BatchId::from_uuid(batch_id), "export.ready", detail).await?;
    Ok(())
}

/// Writes down why an export was not made. Called by the queue for a job that it gave up, in the same transaction.
pub async fn fail(
    conn: &mut AsyncPgConnection,
    claim: &EndedClaim<'_>,
    id: ExportId,
    code: &str,
    message: &str,
) -> Result<()> {
    let batch_id: Option<Uuid> =
        diesel::update(this(claim.tenant, id).filter(export::state.eq_any(["queued", "running"])))
            .set((
                export::state.eq("failed"),
                export::failure_code.eq(code),
                export::failure_message.eq(message),
            ))
            .returning(export::batch_id)
            .get_result(conn)
            .await
            .optional()
            .or_fault()?;
    if let Some(batch_id) = batch_id {
        let detail = json!({ "exportId": id, "code": code, "message": message });
        events::append(conn, claim, BatchId::from_uuid(batch_id), "export.failed", detail).await?;
    }
    Ok(())
}

/// The export whose objects shall go: one whose time is over, or one that failed or was cancelled. None for any other.
pub async fn doomed(
    conn: &mut AsyncPgConnection,
    permit: &JobPermit<ExpireExport>,
    id: ExportId,
) -> Result<Option<Doomed>> {
    type Row = (i64, i32, i32);
    let row: Option<Row> = export::table
        .inner_join(batch::table)
        .filter(export::tenant_id.eq(permit.tenant().as_str()))
        .filter(export::id.eq(id.as_uuid()))
        .filter(
            export::state.eq_any(["failed", "cancelled"]).or(export::state
                .eq("ready")
                .and(export::expires_at.le(diesel::dsl::now.into_sql::<Nullable<Timestamptz>>()))),
        )
        .select((batch::first_serial, export::part_units, batch::units))
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    row.map(|(first_serial, part_units, units)| {
        Ok(Doomed {
            first_serial: unsigned("batch.first_serial", first_serial)?,
            part_units: unsigned("export.part_units", part_units)?,
            units: unsigned("batch.units", units)?,
        })
    })
    .transpose()
}

/// The shape of an export whose objects go; its parts follow from it, also those that no row knows.
pub struct Doomed {
    /// The first serial of the batch.
    pub first_serial: u64,
    /// Units in a part.
    pub part_units: u64,
    /// Units of the batch.
    pub units: u64,
}

/// Notes that the objects of an export are gone: a ready one is expired, a failed or cancelled one stays what it is.
pub async fn expire(
    conn: &mut AsyncPgConnection,
    permit: &JobPermit<ExpireExport>,
    id: ExportId,
) -> Result<()> {
    let tenant = permit.tenant();
    diesel::delete(export_part::table)
        .filter(export_part::tenant_id.eq(tenant.as_str()))
        .filter(export_part::export_id.eq(id.as_uuid()))
        .execute(conn)
        .await
        .or_fault()?;
    let batch_id: Option<Uuid> = diesel::update(this(tenant, id).filter(export::state.eq("ready")))
        .set(export::state.eq("expired"))
        .returning(export::batch_id)
        .get_result(conn)
        .await
        .optional()
        .or_fault()?;
    if let Some(batch_id) = batch_id {
        let detail = json!({ "exportId": id });
        events::append(conn, permit, BatchId::from_uuid(batch_id), "export.expired", detail).await?;
    }
    Ok(())
}

/// The export, within its tenant.
#[diesel::dsl::auto_type(no_type_alias)]
fn this<'a>(tenant: &'a TenantId, id: ExportId) -> _ {
    let tenant: &'a str = tenant.as_str();
    let id: Uuid = id.as_uuid();
    export::table.filter(export::tenant_id.eq(tenant)).filter(export::id.eq(id))
}
