//! Batches: what was asked for, and how far it is.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::Actor;
use mintmark_auth::action::{DestroyBatchSecret, DownloadExport, RevokeBatch, SubmitMint, ViewBatch};
use mintmark_auth::policy::{Action, OnBrand, Permit};
use mintmark_codes::{Gtin, Partition};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{BatchId, BrandId, JobId, ProductId};
use mintmark_minting::WrappedSecret;
use uuid::Uuid;

use super::page::{Slice, Window};
use super::schema::{batch, product};
use super::{stored, unsigned};

/// How the units of a batch become active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Never: a scan only confirms.
    Static,
    /// The first scan by a person activates, exactly once.
    FirstScan,
    /// A person's press of a button activates, exactly once.
    ConfirmedScan,
}

impl Mode {
    /// Every mode, by the name that requests use.
    pub const ALL: [Mode; 3] = [Mode::Static, Mode::FirstScan, Mode::ConfirmedScan];

    /// Its name in requests, answers and rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Static => "static",
            Mode::FirstScan => "first_scan",
            Mode::ConfirmedScan => "confirmed_scan",
        }
    }
}

/// Not the name of a mode or state.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not a name that is known here")]
pub struct UnknownName;

impl FromStr for Mode {
    type Err = UnknownName;

    fn from_str(name: &str) -> std::result::Result<Self, UnknownName> {
        Mode::ALL.into_iter().find(|mode| mode.as_str() == name).ok_or(UnknownName)
    }
}

/// Where a batch stands. `Cancelled` and `Revoked` are final; a failed batch may be taken up again by its operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchState {
    /// Waits for a worker.
    Queued,
    /// A worker derives and publishes its codes.
    Minting,
    /// Published whole: its units can be scanned and exported.
    Sealed,
    /// Gave up; the failure says why.
    Failed,
    /// Stopped on request.
    Cancelled,
    /// Recalled: scans of its units say so.
    Revoked,
}

impl BatchState {
    const ALL: [BatchState; 6] = [
        BatchState::Queued,
        BatchState::Minting,
        BatchState::Sealed,
        BatchState::Failed,
        BatchState::Cancelled,
        BatchState::Revoked,
    ];

    /// Its name in answers and rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            BatchState::Queued => "queued",
            BatchState::Minting => "minting",
            BatchState::Sealed => "sealed",
            BatchState::Failed => "failed",
            BatchState::Cancelled => "cancelled",
            BatchState::Revoked => "revoked",
        }
    }
}

impl fmt::Display for BatchState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for BatchState {
    type Err = UnknownName;

    fn from_str(name: &str) -> std::result::Result<Self, UnknownName> {
        BatchState::ALL.into_iter().find(|state| state.as_str() == name).ok_or(UnknownName)
    }
}

/// Why a batch or an export gave up, in words for its owner.
#[derive(Clone, Debug)]
pub struct Failure {
    /// A stable SCREAMING_SNAKE code.
    pub code: String,
    /// A sentence.
    pub message: String,
}

/// A batch as it stands; its secret is not part of it (see [`secret`]).
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its id.
    pub id: BatchId,
    /// The brand it was minted for.
    pub brand: BrandId,
    /// The product that its units are.
    pub product: ProductId,
    /// That product's GTIN.
    pub gtin: Gtin,
    /// How its units become active.
    pub mode: Mode,
    /// How many units: 1 to 10,000,000.
    pub units: u32,
    /// The serial number of its first unit; the others follow without a gap.
    pub first_serial: u64,
    /// Where it stands.
    pub state: BatchState,
    /// The job that mints it.
    pub job: JobId,
    /// Who asked for it.
    pub created_by: Actor,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it was published whole.
    pub sealed_at: Option<DateTime<Utc>>,
    /// When it was recalled, by the directory's clock.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Since when no code of it can be derived any more.
    pub secret_destroyed_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub failure: Option<Failure>,
}

impl Batch {
    /// The serial number of its last unit.
    pub fn last_serial(&self) -> u64 {
        self.first_serial + u64::from(self.units) - 1
    }
}

/// A batch to create. Its range of serials and its secret were made for it alone.
pub struct NewBatch<'a> {
    /// Its id, which the wrapped secret is bound to.
    pub id: BatchId,
    /// The product that its units are.
    pub product: ProductId,
    /// How its units become active.
    pub mode: Mode,
    /// How many units.
    pub units: u32,
    /// The first serial of its allocation.
    pub first_serial: u64,
    /// What its codes are derived from, wrapped by the code master key.
    pub secret: &'a WrappedSecret,
    /// How many units are published at a time.
    pub chunk_units: u32,
    /// The job that will mint it.
    pub job: JobId,
}

/// What the derivation of a batch's codes needs.
pub struct BatchSecrets {
    /// The secret, still wrapped; none once it is destroyed.
    pub secret: Option<WrappedSecret>,
    /// The partition that the codes name; none before the directory has assigned it.
    pub partition: Option<Partition>,
    /// The first serial.
    pub first_serial: u64,
    /// How many units.
    pub units: u32,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = batch)]
struct Row {
    id: Uuid,
    brand_id: Uuid,
    product_id: Uuid,
    mode: String,
    units: i32,
    first_serial: i64,
    state: String,
    job_id: Uuid,
    created_by: String,
    created_at: DateTime<Utc>,
    sealed_at: Option<DateTime<Utc>>,
    failure_code: Option<String>,
    failure_message: Option<String>,
    revoked_at: Option<DateTime<Utc>>,
    secret_destroyed_at: Option<DateTime<Utc>>,
}

fn read((row, gtin): (Row, String)) -> Result<Batch> {
    Ok(Batch {
        id: BatchId::from_uuid(row.id),
        brand: BrandId::from_uuid(row.brand_id),
        product: ProductId::from_uuid(row.product_id),
        gtin: stored("product.gtin", Gtin::parse(&gtin))?,
        mode: stored("batch.mode", row.mode.parse::<Mode>())?,
        units: unsigned("batch.units", row.units)?,
        first_serial: unsigned("batch.first_serial", row.first_serial)?,
        state: stored("batch.state", row.state.parse::<BatchState>())?,
        job: JobId::from_uuid(row.job_id),
        created_by: stored("batch.created_by", row.created_by.parse::<Actor>())?,
        created_at: row.created_at,
        sealed_at: row.sealed_at,
        revoked_at: row.revoked_at,
        secret_destroyed_at: row.secret_destroyed_at,
        failure: row
            .failure_code
            .map(|code| Failure { code, message: row.failure_message.unwrap_or_default() }),
    })
}

/// Stores a batch of the permit's brand, `queued`.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    permit: &Permit<SubmitMint>,
    new: &NewBatch<'_>,
) -> Result<()> {
    diesel::insert_into(batch::table)
        .values((
            batch::id.eq(new.id.as_uuid()),
            batch::tenant_id.eq(permit.tenant().as_str()),
            batch::brand_id.eq(permit.brand().as_uuid()),
            batch::product_id.eq(new.product.as_uuid()),
            batch::mode.eq(new.mode.as_str()),
            batch::units.eq(unsigned::<_, i32>("batch.units", new.units)?),
            batch::first_serial.eq(unsigned::<_, i64>("batch.first_serial", new.first_serial)?),
            batch::state.eq(BatchState::Queued.as_str()),
            batch::wrapped_secret.eq(new.secret.bytes.as_slice()),
            batch::secret_key_id.eq(new.secret.key_id.as_str()),
            batch::chunk_units.eq(unsigned::<_, i32>("batch.chunk_units", new.chunk_units)?),
            batch::job_id.eq(new.job.as_uuid()),
            batch::created_by.eq(permit.actor().to_string()),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

/// Actions whose permit lets its holder see the batch that it is about: whoever may act on a batch may view it.
pub trait SeesBatch: Action<On = OnBrand> {}
impl SeesBatch for ViewBatch {}
impl SeesBatch for SubmitMint {}
impl SeesBatch for RevokeBatch {}
impl SeesBatch for DestroyBatchSecret {}
impl SeesBatch for DownloadExport {}

/// One batch of the permit's brand.
pub async fn find<A: SeesBatch>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    id: BatchId,
) -> Result<Batch> {
    let row: (Row, String) = batch::table
        .inner_join(product::table)
        .filter(batch::tenant_id.eq(permit.tenant().as_str()))
        .filter(batch::brand_id.eq(permit.brand().as_uuid()))
        .filter(batch::id.eq(id.as_uuid()))
        .select((Row::as_select(), product::gtin))
        .first(conn)
        .await
        .or_not_found("batch")?;
    read(row)
}

/// The batches of the permit's brand, newest first.
pub async fn list(
    conn: &mut AsyncPgConnection,
    permit: &Permit<ViewBatch>,
    window: Window,
) -> Result<Slice<Batch>> {
    let rows: Vec<(Row, String)> = batch::table
        .inner_join(product::table)
        .filter(batch::tenant_id.eq(permit.tenant().as_str()))
        .filter(batch::brand_id.eq(permit.brand().as_uuid()))
        .filter(batch::id.lt(window.below()))
        .order(batch::id.desc())
        .limit(window.probe())
        .select((Row::as_select(), product::gtin))
        .load(conn)
        .await
        .or_fault()?;
    let slice = window.cut(rows, |row| row.0.id);
    let next = slice.next;
    let items = slice.items.into_iter().map(read).collect::<Result<_>>()?;
    Ok(Slice { items, next })
}

/// What the codes of a batch are derived from.
pub async fn secrets<A: SeesBatch>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    id: BatchId,
) -> Result<BatchSecrets> {
    type Row = (Option<Vec<u8>>, Option<String>, Option<i16>, i64, i32);
    let (bytes, key_id, partition, first_serial, units): Row = batch::table
        .filter(batch::tenant_id.eq(permit.tenant().as_str()))
        .filter(batch::brand_id.eq(permit.brand().as_uuid()))
        .filter(batch::id.eq(id.as_uuid()))
        .select((
            batch::wrapped_secret,
            batch::secret_key_id,
            batch::partition_id,
            batch::first_serial,
            batch::units,
        ))
        .first(conn)
        .await
        .or_not_found("batch")?;
    let partition = match partition {
        Some(number) => {
            let number: u16 = unsigned("batch.partition_id", number)?;
            Some(stored("batch.partition_id", Partition::new(number).ok_or("above 1023"))?)
        }
        None => None,
    };
    Ok(BatchSecrets {
        secret: wrapped(key_id, bytes),
        partition,
        first_serial: unsigned("batch.first_serial", first_serial)?,
        units: unsigned("batch.units", units)?,
    })
}

/// The two columns of a wrapped secret; none once it is destroyed.
pub(super) fn wrapped(key_id: Option<String>, bytes: Option<Vec<u8>>) -> Option<WrappedSecret> {
    Some(WrappedSecret { key_id: key_id?, bytes: bytes? })
}

/// What whoever needs the codes of a batch hears when its secret is gone.
pub fn secret_destroyed() -> Fault {
    Fault::conflict(
        "BATCH_SECRET_DESTROYED",
        "the secret of this batch was destroyed: its codes can neither be shown nor exported any more",
    )
}
