//! The ledger of publications: the only truth about what is published.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, SmallInt, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::action::PublishCodes;
use mintmark_auth::{Action, OnTenant, Permit};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Kind};
use mintmark_ids::{BatchId, ProductId, TenantId};
use uuid::Uuid;

use super::schema::{partition, product, publication, publication_chunk};
use crate::app::directory_state::Mode;
use crate::app::publication::{Publication, State, Terms};

/// The code of the refusal of a range that another publication has some of.
pub const SERIALS_OVERLAP: &str = "SERIALS_OVERLAP";

#[derive(Queryable, Selectable)]
#[diesel(table_name = publication)]
struct Row {
    id: i32,
    batch_id: Uuid,
    tenant_id: String,
    product_id: Uuid,
    partition_id: i16,
    mode: String,
    first_serial: i64,
    units: i64,
    chunk_units: i32,
    fence: i64,
    state: String,
    sealed_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    units_published: i64,
}

/// Reads a batch's publication, without holding it.
///
/// # Errors
/// `NOT_FOUND` when there is none, or it is another tenant's.
pub async fn find(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    batch: BatchId,
) -> Result<Publication, Fault> {
    let row = publication::table
        .filter(publication::batch_id.eq(batch.as_uuid()))
        .select(Row::as_select())
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    owned(conn, tenant, row).await?.ok_or_else(|| Fault::not_found("publication"))
}

/// Reads a batch's publication and holds its row until the transaction ends; `None` when there is none.
///
/// # Errors
/// `NOT_FOUND` when it is another tenant's.
pub async fn lock<A: Action<On = OnTenant>>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    batch: BatchId,
) -> Result<Option<Publication>, Fault> {
    let row = publication::table
        .filter(publication::batch_id.eq(batch.as_uuid()))
        .select(Row::as_select())
        .for_no_key_update()
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    owned(conn, permit.tenant(), row).await
}

/// Lets one transaction at a time open a batch: there is no row yet that could be locked.
pub async fn serialize_opening(conn: &mut AsyncPgConnection, batch: BatchId) -> Result<(), Fault> {
    diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))")
        .bind::<diesel::sql_types::Text, _>(batch.to_string())
        .execute(conn)
        .await
        .or_fault()
        .map(drop)
}

/// Adds an open publication.
///
/// # Errors
/// `NOT_FOUND` when the tenant has no such product; `SERIALS_OVERLAP` when another publication of the product, of any
/// state, has some of the serials.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    permit: &Permit<PublishCodes>,
    terms: &Terms,
    fence: i64,
    partition: i16,
) -> Result<(), Fault> {
    let tenant = permit.tenant().as_str();
    let known: i64 = product::table
        .filter(product::product_id.eq(terms.product.as_uuid()))
        .filter(product::tenant_id.eq(tenant))
        .count()
        .get_result(conn)
        .await
        .or_fault()?;
    if known == 0 {
        return Err(Fault::not_found("product"));
    }
    diesel::insert_into(publication::table)
        .values((
            publication::batch_id.eq(terms.batch.as_uuid()),
            publication::tenant_id.eq(tenant),
            publication::product_id.eq(terms.product.as_uuid()),
            publication::partition_id.eq(partition),
            publication::mode.eq(terms.mode.as_str()),
            publication::first_serial.eq(terms.first_serial),
            publication::units.eq(terms.units),
            publication::chunk_units.eq(terms.chunk_units),
            publication::fence.eq(fence),
        ))
        .execute(conn)
        .await
        .or_conflict("publication_serials", || {
            Fault::new(
                Kind::Unprocessable,
                SERIALS_OVERLAP,
                "another publication of this product has some of these serials; allocate a new range",
            )
        })
        .map(drop)
}

/// The first serial above all that any publication of the product has, of whatever state.
pub async fn next_serial(
    conn: &mut AsyncPgConnection,
    permit: &Permit<PublishCodes>,
    product: ProductId,
) -> Result<i64, Fault> {
    let last: Option<i64> = publication::table
        .filter(publication::tenant_id.eq(permit.tenant().as_str()))
        .filter(publication::product_id.eq(product.as_uuid()))
        .select(sql::<Nullable<BigInt>>("max(first_serial + units)"))
        .first(conn)
        .await
        .or_fault()?;
    Ok(last.unwrap_or(1))
}

/// Raises the fence.
pub async fn raise_fence(
    conn: &mut AsyncPgConnection,
    locked: &Publication,
    fence: i64,
) -> Result<(), Fault> {
    diesel::update(publication::table.find(locked.id))
        .set(publication::fence.eq(fence))
        .execute(conn)
        .await
        .or_fault()
        .map(drop)
}

/// Seals, and answers the time by the database's clock.
pub async fn seal(
    conn: &mut AsyncPgConnection,
    locked: &Publication,
    fence: i64,
) -> Result<DateTime<Utc>, Fault> {
    diesel::update(publication::table.find(locked.id))
        .set((
            publication::state.eq("sealed"),
            publication::sealed_at.eq(sql::<Nullable<Timestamptz>>("clock_timestamp()")),
            publication::fence.eq(fence),
        ))
        .returning(publication::sealed_at.assume_not_null())
        .get_result(conn)
        .await
        .or_fault()
}

/// Gives up.
pub async fn abort(conn: &mut AsyncPgConnection, locked: &Publication, fence: i64) -> Result<(), Fault> {
    diesel::update(publication::table.find(locked.id))
        .set((publication::state.eq("aborted"), publication::fence.eq(fence)))
        .execute(conn)
        .await
        .or_fault()
        .map(drop)
}

/// How many chunks the ledger has of a publication, and how many units they have together.
pub async fn ledger_sums(
    conn: &mut AsyncPgConnection,
    publication: &Publication,
) -> Result<(i64, i64), Fault> {
    publication_chunk::table
        .filter(publication_chunk::publication_id.eq(publication.id))
        .select(sql::<(BigInt, BigInt)>("count(*), coalesce(sum(units), 0)::bigint"))
        .first(conn)
        .await
        .or_fault()
}

/// Reserves units in a partition of this pepper, opening another where none has room; answers the partition.
pub async fn reserve(conn: &mut AsyncPgConnection, pepper: i32, units: i64) -> Result<i16, Fault> {
    if let Some(partition) = reserve_in_open(conn, pepper, units).await? {
        return Ok(partition);
    }
    let _opened: Partition = diesel::sql_query("SELECT open_partition($1, $2) AS id")
        .bind::<Integer, _>(pepper)
        .bind::<BigInt, _>(units)
        .get_result(conn)
        .await
        .or_conflict("partition_id_check", || {
            let sentence = "all 1024 partitions are full: no more codes fit into this directory";
            Fault::unavailable("DIRECTORY_FULL", sentence)
        })?;
    reserve_in_open(conn, pepper, units).await?.ok_or_else(|| {
        Fault::unavailable("PARTITION_TAKEN", "the new partition filled up at once; try again")
    })
}

/// The number of the pepper under which a partition stands.
pub async fn pepper_of(conn: &mut AsyncPgConnection, number: u16) -> Result<i32, Fault> {
    let number = i16::try_from(number).map_err(Fault::internal)?;
    partition::table.find(number).select(partition::pepper_id).first(conn).await.or_fault()
}

#[derive(QueryableByName)]
struct Partition {
    #[diesel(sql_type = SmallInt)]
    id: i16,
}

async fn reserve_in_open(
    conn: &mut AsyncPgConnection,
    pepper: i32,
    units: i64,
) -> Result<Option<i16>, Fault> {
    let reserved: Option<Partition> = diesel::sql_query(
        "UPDATE partition SET units_reserved = units_reserved + $2 WHERE id = (
             SELECT id FROM partition WHERE pepper_id = $1 AND capacity - units_reserved >= $2
             ORDER BY id LIMIT 1 FOR UPDATE)
         RETURNING id",
    )
    .bind::<Integer, _>(pepper)
    .bind::<BigInt, _>(units)
    .get_result(conn)
    .await
    .optional()
    .or_fault()?;
    Ok(reserved.map(|partition| partition.id))
}

/// The row as a publication, if it is the tenant's.
async fn owned(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    row: Option<Row>,
) -> Result<Option<Publication>, Fault> {
    let Some(row) = row else { return Ok(None) };
    if row.tenant_id != tenant.as_str() {
        return Err(Fault::not_found("publication"));
    }
    let next_chunk = next_chunk(conn, row.id, row.units, row.chunk_units).await?;
    publication_of(row, next_chunk).map(Some)
}

#[derive(QueryableByName)]
struct NextChunk {
    #[diesel(sql_type = BigInt)]
    chunk: i64,
}

async fn next_chunk(
    conn: &mut AsyncPgConnection,
    id: i32,
    units: i64,
    chunk_units: i32,
) -> Result<u32, Fault> {
    let next: NextChunk = diesel::sql_query(
        "SELECT n AS chunk FROM generate_series(0, ($2 + $3 - 1) / $3) AS n
         WHERE NOT EXISTS (SELECT FROM publication_chunk WHERE publication_id = $1 AND chunk = n)
         ORDER BY n LIMIT 1",
    )
    .bind::<Integer, _>(id)
    .bind::<BigInt, _>(units)
    .bind::<BigInt, _>(i64::from(chunk_units))
    .get_result(conn)
    .await
    .or_fault()?;
    u32::try_from(next.chunk).map_err(Fault::internal)
}

fn publication_of(row: Row, next_chunk: u32) -> Result<Publication, Fault> {
    let state = match (row.state.as_str(), row.sealed_at) {
        ("open", None) => State::Open,
        ("sealed", Some(at)) => State::Sealed(at),
        ("aborted", None) => State::Aborted,
        (state, _) => return Err(Fault::internal(format!("a publication is in state {state:?}"))),
    };
    let mode = Mode::from_word(&row.mode)
        .ok_or_else(|| Fault::internal(format!("a publication is of mode {:?}", row.mode)))?;
    Ok(Publication {
        id: row.id,
        terms: Terms {
            batch: BatchId::from_uuid(row.batch_id),
            product: ProductId::from_uuid(row.product_id),
            mode,
            first_serial: row.first_serial,
            units: row.units,
            chunk_units: row.chunk_units,
        },
        partition: u16::try_from(row.partition_id).map_err(Fault::internal)?,
        fence: row.fence,
        state,
        revoked_at: row.revoked_at,
        units_published: row.units_published,
        next_chunk,
    })
}
