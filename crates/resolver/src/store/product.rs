//! Products, as the control plane puts them.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::Permit;
use mintmark_auth::action::PublishCodes;
use mintmark_codes::Gtin;
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Kind};
use mintmark_ids::ProductId;

use super::schema::product;

/// A product as it shall stand.
pub struct NewProduct {
    /// Its id.
    pub id: ProductId,
    /// Its GTIN.
    pub gtin: Gtin,
    /// The brand's name.
    pub brand_name: String,
    /// The product's name.
    pub product_name: String,
    /// Where genuine scans go.
    pub destination_template: Option<String>,
    /// Its version.
    pub version: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = product)]
struct Stored {
    tenant_id: String,
    gtin: String,
    version: i64,
}

/// Stores a product unless a version as new is there; answers the version that stands now.
///
/// # Errors
/// `NOT_FOUND` when the id is another tenant's; `GTIN_FIXED` when the GTIN differs from the stored one.
pub async fn put(
    conn: &mut AsyncPgConnection,
    permit: &Permit<PublishCodes>,
    new: &NewProduct,
) -> Result<i64, Fault> {
    let stored = match locked(conn, new.id).await? {
        Some(stored) => stored,
        None if insert_if_absent(conn, permit, new).await? => return Ok(new.version),
        None => locked(conn, new.id).await?.ok_or_else(|| Fault::not_found("product"))?,
    };
    match stored {
        stored if stored.tenant_id != permit.tenant().as_str() => Err(Fault::not_found("product")),
        stored if stored.gtin != new.gtin.as_str() => Err(Fault::new(
            Kind::Unprocessable,
            "GTIN_FIXED",
            "the GTIN of a product stays: it is printed in its codes; make another product",
        )
        .field("product.gtin")),
        stored if stored.version >= new.version => Ok(stored.version),
        _ => update(conn, new).await,
    }
}

async fn locked(conn: &mut AsyncPgConnection, id: ProductId) -> Result<Option<Stored>, Fault> {
    product::table
        .find(id.as_uuid())
        .select(Stored::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()
        .or_fault()
}

async fn update(conn: &mut AsyncPgConnection, new: &NewProduct) -> Result<i64, Fault> {
    diesel::update(product::table.find(new.id.as_uuid()))
        .set((
            product::brand_name.eq(&new.brand_name),
            product::product_name.eq(&new.product_name),
            product::destination_template.eq(&new.destination_template),
            product::version.eq(new.version),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(new.version)
}

/// Two first calls at once are both answered: the second waits for the first to commit, then finds its row.
async fn insert_if_absent(
    conn: &mut AsyncPgConnection,
    permit: &Permit<PublishCodes>,
    new: &NewProduct,
) -> Result<bool, Fault> {
    let inserted = diesel::insert_into(product::table)
        .values((
            product::product_id.eq(new.id.as_uuid()),
            product::tenant_id.eq(permit.tenant().as_str()),
            product::gtin.eq(new.gtin.as_str()),
            product::brand_name.eq(&new.brand_name),
            product::product_name.eq(&new.product_name),
            product::destination_template.eq(&new.destination_template),
            product::version.eq(new.version),
        ))
        .on_conflict(product::product_id)
        .do_nothing()
        .execute(conn)
        .await
        .or_fault()?;
    Ok(inserted == 1)
}
