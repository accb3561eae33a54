//! Products, and the allocation of their serial numbers.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::action::{CreateProduct, SubmitMint, UpdateProduct, ViewProduct};
use mintmark_auth::policy::Permit;
use mintmark_codes::Gtin;
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::{BrandId, ProductId};
use uuid::Uuid;

use super::page::{Slice, Window};
use super::schema::product;
use super::{stored, unsigned};

/// The greatest serial number: 2^53 - 1, the last integer that every JSON reader keeps exactly.
pub const LAST_SERIAL: u64 = (1 << 53) - 1;

/// A product of a brand.
#[derive(Clone, Debug)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// The brand it belongs to.
    pub brand: BrandId,
    /// What identifies it to the world; unique within the tenant.
    pub gtin: Gtin,
    /// What people call it.
    pub name: String,
    /// Where a scan of one of its units leads, if not to the built-in page.
    pub destination_template: Option<String>,
    /// Counts its changes from 1: what the directory orders them by.
    pub version: u64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// A product to create.
#[derive(Clone, Debug)]
pub struct NewProduct {
    /// Its GTIN.
    pub gtin: Gtin,
    /// Its name.
    pub name: String,
    /// Its destination.
    pub destination_template: Option<String>,
}

/// What of a product can change; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct ProductChange {
    /// A new name.
    pub name: Option<String>,
    /// A new destination; `Some(None)` goes back to the built-in page.
    pub destination_template: Option<Option<String>>,
}

/// A range of serial numbers that no other batch of the product was or will be given.
#[derive(Clone, Copy, Debug)]
pub struct Allocation {
    /// The first of them.
    pub first_serial: u64,
    /// The product's GTIN, read by the same statement.
    pub gtin: Gtin,
}

type Row = (Uuid, Uuid, String, String, Option<String>, i64, DateTime<Utc>);
const COLUMNS: (
    product::id,
    product::brand_id,
    product::gtin,
    product::name,
    product::destination_template,
    product::version,
    product::created_at,
) = (
    product::id,
    product::brand_id,
    product::gtin,
    product::name,
    product::destination_template,
    product::version,
    product::created_at,
);

fn read((id, brand, gtin, name, destination_template, version, created_at): Row) -> Result<Product> {
    Ok(Product {
        id: ProductId::from_uuid(id),
        brand: BrandId::from_uuid(brand),
        gtin: stored("product.gtin", Gtin::parse(&gtin))?,
        name,
        destination_template,
        version: unsigned("product.version", version)?,
        created_at,
    })
}

/// Creates a product of the permit's brand. 409 `GTIN_EXISTS` when the tenant has one with this GTIN.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    permit: &Permit<CreateProduct>,
    new: &NewProduct,
) -> Result<Product> {
    let row: Row = diesel::insert_into(product::table)
        .values((
            product::id.eq(ProductId::new().as_uuid()),
            product::tenant_id.eq(permit.tenant().as_str()),
            product::brand_id.eq(permit.brand().as_uuid()),
            product::gtin.eq(new.gtin.as_str()),
            product::name.eq(&new.name),
            product::destination_template.eq(new.destination_template.as_deref()),
        ))
        .returning(COLUMNS)
        .get_result(conn)
        .await
        .or_conflict("product_gtin_key", || {
            Fault::conflict("GTIN_EXISTS", "this tenant has a product with this GTIN already").field("gtin")
        })?;
    read(row)
}

/// One product of the permit's brand.
pub async fn find(
    conn: &mut AsyncPgConnection,
    permit: &Permit<ViewProduct>,
    id: ProductId,
) -> Result<Product> {
    let row: Row = product::table
        .filter(product::tenant_id.eq(permit.tenant().as_str()))
        .filter(product::brand_id.eq(permit.brand().as_uuid()))
        .filter(product::id.eq(id.as_uuid()))
        .select(COLUMNS)
        .first(conn)
        .await
        .or_not_found("product")?;
    read(row)
}

/// The products of the permit's brand, newest first.
pub async fn list(
    conn: &mut AsyncPgConnection,
    permit: &Permit<ViewProduct>,
    window: Window,
) -> Result<Slice<Product>> {
    let rows: Vec<Row> = product::table
        .filter(product::tenant_id.eq(permit.tenant().as_str()))
        .filter(product::brand_id.eq(permit.brand().as_uuid()))
        .filter(product::id.lt(window.below()))
        .order(product::id.desc())
        .limit(window.probe())
        .select(COLUMNS)
        .load(conn)
        .await
        .or_fault()?;
    let slice = window.cut(rows, |row| row.0);
    let next = slice.next;
    let items = slice.items.into_iter().map(read).collect::<Result<_>>()?;
    Ok(Slice { items, next })
}

/// Changes a product of the permit's brand and counts its version up, also when the values stay the same: the
/// directory orders what it is told by the version.
pub async fn update(
    conn: &mut AsyncPgConnection,
    permit: &Permit<UpdateProduct>,
    id: ProductId,
    change: &ProductChange,
) -> Result<Product> {
    let mine = product::table
        .filter(product::tenant_id.eq(permit.tenant().as_str()))
        .filter(product::brand_id.eq(permit.brand().as_uuid()))
        .filter(product::id.eq(id.as_uuid()));
    let row: Row = diesel::update(mine)
        .set((
            product::version.eq(product::version + 1),
            change.name.as_deref().map(|name| product::name.eq(name)),
            change
                .destination_template
                .as_ref()
                .map(|template| product::destination_template.eq(template.as_deref())),
        ))
        .returning(COLUMNS)
        .get_result(conn)
        .await
        .or_not_found("product")?;
    read(row)
}

/// Takes the next `units` serial numbers of a product, in one statement that concurrent requests queue up for.
///
/// 404 when the product is not the permit's brand's; 422 `SERIALS_EXHAUSTED` past [`LAST_SERIAL`].
pub async fn allocate(
    conn: &mut AsyncPgConnection,
    permit: &Permit<SubmitMint>,
    id: ProductId,
    units: u32,
) -> Result<Allocation> {
    let units = i64::from(units);
    let mine = product::table
        .filter(product::tenant_id.eq(permit.tenant().as_str()))
        .filter(product::brand_id.eq(permit.brand().as_uuid()))
        .filter(product::id.eq(id.as_uuid()));
    let end = LAST_SERIAL.cast_signed() + 1;
    let taken: Option<(i64, String)> = diesel::update(mine.filter(product::next_serial.le(end - units)))
        .set(product::next_serial.eq(product::next_serial + units))
        .returning((product::next_serial - units, product::gtin))
        .get_result(conn)
        .await
        .optional()
        .or_fault()?;
    let Some((first, gtin)) = taken else {
        let _: Uuid = mine
            .select(product::id)
            .first(conn)
            .await
            .or_not_found("product")
            .map_err(|fault| fault.field("productId"))?;
        return Err(Fault::new(
            Kind::Unprocessable,
            "SERIALS_EXHAUSTED",
            "this product has too few serial numbers left for so many units: ask for fewer, or use another GTIN",
        )
        .field("units"));
    };
    Ok(Allocation {
        first_serial: unsigned("product.next_serial", first)?,
        gtin: stored("product.gtin", Gtin::parse(&gtin))?,
    })
}
