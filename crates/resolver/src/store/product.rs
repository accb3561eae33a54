//! Products, as the control plane puts them.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::Permit;
use mintmark_auth::action::PublishCodes;
use mintmark_codes::Gtin;
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Kind};
use mintmark_ids::ProductId;
use mintmark_look::{Colour, Image};

use super::image;
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
    /// The brand's colour.
    pub colour: Option<Colour>,
    /// The brand's logo.
    pub logo: Option<Image>,
    /// Its picture.
    pub picture: Option<Image>,
}

impl NewProduct {
    fn images(&self) -> impl Iterator<Item = &Image> {
        [&self.logo, &self.picture].into_iter().flatten()
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = product)]
struct Stored {
    tenant_id: String,
    gtin: String,
    version: i64,
    logo: Option<Vec<u8>>,
    picture: Option<Vec<u8>>,
}

/// The columns that change with a product.
#[derive(AsChangeset)]
#[diesel(table_name = product, treat_none_as_null = true)]
struct Changing<'a> {
    brand_name: &'a str,
    product_name: &'a str,
    destination_template: Option<&'a str>,
    version: i64,
    primary_colour: Option<String>,
    logo: Option<Vec<u8>>,
    picture: Option<Vec<u8>>,
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
        stored => update(conn, stored, new).await,
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

async fn update(conn: &mut AsyncPgConnection, stored: Stored, new: &NewProduct) -> Result<i64, Fault> {
    image::put(conn, new.images()).await?;
    diesel::update(product::table.find(new.id.as_uuid()))
        .set(Changing {
            brand_name: &new.brand_name,
            product_name: &new.product_name,
            destination_template: new.destination_template.as_deref(),
            version: new.version,
            primary_colour: new.colour.map(|colour| colour.to_string()),
            logo: hash(new.logo.as_ref()),
            picture: hash(new.picture.as_ref()),
        })
        .execute(conn)
        .await
        .or_fault()?;
    let before: Vec<Vec<u8>> = [stored.logo, stored.picture].into_iter().flatten().collect();
    image::forget(conn, &before).await?;
    Ok(new.version)
}

fn hash(image: Option<&Image>) -> Option<Vec<u8>> {
    image.map(|image| image.hash().as_bytes().to_vec())
}

/// Two first calls at once are both answered: the second waits for the first to commit, then finds its row.
async fn insert_if_absent(
    conn: &mut AsyncPgConnection,
    permit: &Permit<PublishCodes>,
    new: &NewProduct,
) -> Result<bool, Fault> {
    image::put(conn, new.images()).await?;
    let inserted = diesel::insert_into(product::table)
        .values((
            product::product_id.eq(new.id.as_uuid()),
            product::tenant_id.eq(permit.tenant().as_str()),
            product::gtin.eq(new.gtin.as_str()),
            product::brand_name.eq(&new.brand_name),
            product::product_name.eq(&new.product_name),
            product::destination_template.eq(&new.destination_template),
            product::version.eq(new.version),
            product::primary_colour.eq(new.colour.map(|colour| colour.to_string())),
            product::logo.eq(hash(new.logo.as_ref())),
            product::picture.eq(hash(new.picture.as_ref())),
        ))
        .on_conflict(product::product_id)
        .do_nothing()
        .execute(conn)
        .await
        .or_fault()?;
    Ok(inserted == 1)
}
