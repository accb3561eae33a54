//! A batch as its mint job sees and moves it.
//!
//! Everything here runs inside the fenced transactions of the job, so two workers cannot move one batch.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::Actor;
use mintmark_codes::Partition;
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{BatchId, ProductId, TenantId};
use mintmark_jobs::JobPermit;
use mintmark_minting::WrappedSecret;
use mintmark_wire::directory::v1::{ActivationMode, Product};
use serde_json::json;
use uuid::Uuid;

use super::batches::{Mode, secret_destroyed, wrapped};
use super::products::LAST_SERIAL;
use super::schema::{batch, brand, product};
use super::{Mandate, events, operations, presentation, stored, unsigned};
use crate::job_kinds::{MintBatch, SyncProduct};

/// What the mint job needs of a batch.
pub struct BatchToMint {
    /// The batch.
    pub batch_id: BatchId,
    /// Its product, as the directory shall know it.
    pub product: Product,
    /// How its units activate.
    pub mode: ActivationMode,
    /// The first serial.
    pub first_serial: u64,
    /// How many units.
    pub units: u64,
    /// Units in a chunk, frozen when the batch was made.
    pub chunk_units: u32,
    /// What the codes are derived from, wrapped by the code master key.
    pub wrapped_secret: WrappedSecret,
}

type BatchRow = (Uuid, String, i32, i64, String, i32, Option<Vec<u8>>, Option<String>);

/// Moves a batch to `minting` and reads it. A failed batch is taken up again: that is a replayed job.
///
/// # Errors
/// 404 when it is not the job's tenant's; 409 `BATCH_CLOSED` when it is sealed, cancelled or recalled; 409
/// `BATCH_SECRET_DESTROYED` when its secret was destroyed after it failed.
pub async fn start(
    conn: &mut AsyncPgConnection,
    permit: &JobPermit<MintBatch>,
    id: BatchId,
) -> Result<BatchToMint> {
    let tenant = permit.tenant();
    let (product_id, mode, units, first_serial, state, chunk_units, bytes, key_id): BatchRow = batch::table
        .filter(batch::tenant_id.eq(tenant.as_str()))
        .filter(batch::id.eq(id.as_uuid()))
        .select((
            batch::product_id,
            batch::mode,
            batch::units,
            batch::first_serial,
            batch::state,
            batch::chunk_units,
            batch::wrapped_secret,
            batch::secret_key_id,
        ))
        .first(conn)
        .await
        .or_not_found("batch")?;
    let wrapped_secret = wrapped(key_id, bytes);
    match state.as_str() {
        "queued" | "failed" => {
            if wrapped_secret.is_none() {
                return Err(secret_destroyed());
            }
            diesel::update(this(tenant, id))
                .set((
                    batch::state.eq("minting"),
                    batch::failure_code.eq(None::<String>),
                    batch::failure_message.eq(None::<String>),
                ))
                .execute(conn)
                .await
                .or_fault()?;
            events::append(conn, permit, id, "batch.minting", json!({ "units": units })).await?;
        }
        "minting" => {}
        _ => {
            return Err(Fault::conflict(
                "BATCH_CLOSED",
                format!("the batch is {state} and cannot be minted again"),
            ));
        }
    }
    Ok(BatchToMint {
        batch_id: id,
        product: read_product(conn, tenant, ProductId::from_uuid(product_id)).await?,
        mode: read_mode(&mode)?,
        first_serial: unsigned("batch.first_serial", first_serial)?,
        units: unsigned("batch.units", units)?,
        chunk_units: unsigned("batch.chunk_units", chunk_units)?,
        wrapped_secret: wrapped_secret.ok_or_else(secret_destroyed)?,
    })
}

/// Notes the partition that the directory chose; it never changes once noted.
///
/// # Errors
/// 500 when another one stands there.
pub async fn set_partition(
    conn: &mut AsyncPgConnection,
    permit: &JobPermit<MintBatch>,
    id: BatchId,
    partition: Partition,
) -> Result<()> {
    let number: i16 = unsigned("partition", partition.get())?;
    let noted = diesel::update(this(permit.tenant(), id).filter(batch::state.eq("minting")))
        .filter(batch::partition_id.is_null().or(batch::partition_id.eq(number)))
        .set(batch::partition_id.eq(number))
        .execute(conn)
        .await
        .or_fault()?;
    if noted == 1 {
        Ok(())
    } else {
        Err(Fault::internal("the directory moved a publication to another partition"))
    }
}

/// Moves the next serial of the batch's product to `next`, never back: the directory holds serials that this database
/// does not know of. The batch's history says so.
///
/// # Errors
/// 500 when the directory names a serial beyond the last one.
pub async fn move_serials(
    conn: &mut AsyncPgConnection,
    permit: &JobPermit<MintBatch>,
    id: BatchId,
    next: u64,
) -> Result<()> {
    if next > LAST_SERIAL + 1 {
        return Err(Fault::internal(format!("the directory says that serial {next} is the next one")));
    }
    let next: i64 = unsigned("serial", next)?;
    let of: Uuid =
        this(permit.tenant(), id).select(batch::product_id).first(conn).await.or_not_found("batch")?;
    let moved = diesel::update(product::table)
        .filter(product::tenant_id.eq(permit.tenant().as_str()))
        .filter(product::id.eq(of))
        .filter(product::next_serial.lt(next))
        .set(product::next_serial.eq(next))
        .execute(conn)
        .await
        .or_fault()?;
    if moved == 1 {
        events::append(conn, permit, id, "batch.serials_moved", json!({ "nextSerial": next })).await?;
    }
    Ok(())
}

/// Marks a batch sealed: the directory recognises its codes now.
pub async fn seal(conn: &mut AsyncPgConnection, permit: &JobPermit<MintBatch>, id: BatchId) -> Result<()> {
    let units: i32 = diesel::update(this(permit.tenant(), id).filter(batch::state.eq("minting")))
        .set((batch::state.eq("sealed"), batch::sealed_at.eq(diesel::dsl::now)))
        .returning(batch::units)
        .get_result(conn)
        .await
        .or_not_found("batch")?;
    events::append(conn, permit, id, "batch.sealed", json!({ "units": units })).await?;
    Ok(())
}

/// Closes a batch whose minting was called off, in the name of whoever asked for that.
pub async fn cancel(conn: &mut AsyncPgConnection, claim: &impl OfMinting, id: BatchId) -> Result<()> {
    let asked = operations::canceller(conn, claim, id).await?;
    let actor = asked.as_ref().unwrap_or(claim.actor());
    operations::close_cancelled(conn, &EndedClaim { tenant: claim.tenant(), actor }, id).await?;
    Ok(())
}

/// Writes down why a batch was not minted. Called by the queue for a job that it gave up, in the same transaction.
pub async fn fail(
    conn: &mut AsyncPgConnection,
    claim: &EndedClaim<'_>,
    id: BatchId,
    code: &str,
    message: &str,
) -> Result<()> {
    let changed = diesel::update(this(claim.tenant, id).filter(batch::state.eq_any(["queued", "minting"])))
        .set((batch::state.eq("failed"), batch::failure_code.eq(code), batch::failure_message.eq(message)))
        .execute(conn)
        .await
        .or_fault()?;
    if changed == 1 {
        let detail = json!({ "code": code, "message": message });
        events::append(conn, claim, id, "batch.failed", detail).await?;
    }
    Ok(())
}

/// A job that has just ended, as the queue hands it to its hooks: tenant and actor are those of the claim.
pub struct EndedClaim<'a> {
    /// Whose rows.
    pub tenant: &'a TenantId,
    /// In whose name.
    pub actor: &'a Actor,
}

impl Mandate for EndedClaim<'_> {
    fn tenant(&self) -> &TenantId {
        self.tenant
    }

    fn actor(&self) -> &Actor {
        self.actor
    }
}

/// A mint job, at work or just ended.
pub trait OfMinting: Mandate {}
impl OfMinting for JobPermit<MintBatch> {}
impl OfMinting for EndedClaim<'_> {}

/// A product as the directory shall know it.
pub async fn product(
    conn: &mut AsyncPgConnection,
    permit: &JobPermit<SyncProduct>,
    id: ProductId,
) -> Result<Product> {
    read_product(conn, permit.tenant(), id).await
}

async fn read_product(conn: &mut AsyncPgConnection, tenant: &TenantId, id: ProductId) -> Result<Product> {
    type Row = (String, String, String, Option<String>, i64);
    let (gtin, brand_name, product_name, destination_template, version): Row = product::table
        .inner_join(brand::table)
        .filter(product::tenant_id.eq(tenant.as_str()))
        .filter(product::id.eq(id.as_uuid()))
        .select((product::gtin, brand::name, product::name, product::destination_template, product::version))
        .first(conn)
        .await
        .or_not_found("product")?;
    let presentation = presentation::of_product(conn, tenant, id).await?;
    Ok(Product {
        presentation,
        product_id: id.to_string(),
        gtin,
        brand_name,
        product_name,
        destination_template,
        version: unsigned("product.version", version)?,
    })
}

fn read_mode(mode: &str) -> Result<ActivationMode> {
    Ok(match stored("batch.mode", mode.parse::<Mode>())? {
        Mode::Static => ActivationMode::Static,
        Mode::FirstScan => ActivationMode::FirstScan,
        Mode::ConfirmedScan => ActivationMode::ConfirmedScan,
    })
}

/// The batch, within its tenant.
#[diesel::dsl::auto_type(no_type_alias)]
fn this<'a>(tenant: &'a TenantId, id: BatchId) -> _ {
    let tenant: &'a str = tenant.as_str();
    let id: Uuid = id.as_uuid();
    batch::table.filter(batch::tenant_id.eq(tenant)).filter(batch::id.eq(id))
}
