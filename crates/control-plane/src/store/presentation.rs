//! How a brand and its products look on the verification page: a colour, a logo, a picture for each product.

use bytes::Bytes;
use diesel::prelude::*;
use diesel::query_dsl::methods;
use diesel::upsert::excluded;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::action::{UpdateBrand, UpdateProduct, ViewBrand, ViewProduct};
use mintmark_auth::policy::{Action, OnBrand, Permit};
use mintmark_db::Meaning;
use mintmark_fault::Result;
use mintmark_ids::{ProductId, TenantId};
use mintmark_look::{Colour, Image};
use mintmark_wire::directory::v1 as wire;
use uuid::Uuid;

use super::schema::{brand_presentation, look_image, product};
use super::stored;

/// Actions that may change a look.
pub trait ChangesLook: Action<On = OnBrand> {}
impl ChangesLook for UpdateBrand {}
impl ChangesLook for UpdateProduct {}

/// Actions that may see it.
pub trait ShowsLook: Action<On = OnBrand> {}
impl ShowsLook for ViewBrand {}
impl ShowsLook for ViewProduct {}

/// What an image shows, within the permit's brand.
#[derive(Clone, Copy, Debug)]
pub enum Subject {
    /// The brand's logo.
    Logo,
    /// A picture of one of its products.
    Picture(ProductId),
}

impl Subject {
    fn product(self) -> Option<Uuid> {
        match self {
            Subject::Logo => None,
            Subject::Picture(product) => Some(product.as_uuid()),
        }
    }

    fn id<A: Action<On = OnBrand>>(self, permit: &Permit<A>) -> Uuid {
        self.product().unwrap_or_else(|| permit.brand().as_uuid())
    }
}

/// The brand's colour, if it has one.
pub async fn colour(conn: &mut AsyncPgConnection, permit: &Permit<ViewBrand>) -> Result<Option<Colour>> {
    let colour: Option<String> = brand_presentation::table
        .filter(brand_presentation::tenant_id.eq(permit.tenant().as_str()))
        .filter(brand_presentation::brand_id.eq(permit.brand().as_uuid()))
        .select(brand_presentation::primary_colour)
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    colour.map(|colour| stored("brand_presentation.primary_colour", colour.parse())).transpose()
}

/// Gives the brand a colour, or takes it away; whether that changed anything.
pub async fn set_colour(
    conn: &mut AsyncPgConnection,
    permit: &Permit<UpdateBrand>,
    colour: Option<Colour>,
) -> Result<bool> {
    let Some(colour) = colour else {
        let mine = brand_presentation::table
            .filter(brand_presentation::tenant_id.eq(permit.tenant().as_str()))
            .filter(brand_presentation::brand_id.eq(permit.brand().as_uuid()));
        return Ok(diesel::delete(mine).execute(conn).await.or_fault()? > 0);
    };
    let upsert = diesel::insert_into(brand_presentation::table)
        .values((
            brand_presentation::brand_id.eq(permit.brand().as_uuid()),
            brand_presentation::tenant_id.eq(permit.tenant().as_str()),
            brand_presentation::primary_colour.eq(colour.to_string()),
        ))
        .on_conflict(brand_presentation::brand_id)
        .do_update()
        .set((
            brand_presentation::primary_colour.eq(excluded(brand_presentation::primary_colour)),
            brand_presentation::updated_at.eq(diesel::dsl::now),
        ));
    let another = brand_presentation::primary_colour.ne(excluded(brand_presentation::primary_colour));
    let changed = methods::FilterDsl::filter(upsert, another).execute(conn).await.or_fault()?;
    Ok(changed > 0)
}

/// An image of the permit's brand, if there is one.
pub async fn image<A: ShowsLook>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    subject: Subject,
) -> Result<Option<Image>> {
    let row: Option<(String, Vec<u8>)> = look_image::table
        .filter(look_image::tenant_id.eq(permit.tenant().as_str()))
        .filter(look_image::brand_id.eq(permit.brand().as_uuid()))
        .filter(look_image::id.eq(subject.id(permit)))
        .select((look_image::content_type, look_image::content))
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    row.map(|(content_type, content)| {
        stored("look_image.content", Image::new(&content_type, Bytes::from(content)))
    })
    .transpose()
}

/// Puts an image in the place of the one before; whether it is another one.
pub async fn put_image<A: ChangesLook>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    subject: Subject,
    image: &Image,
) -> Result<bool> {
    let upsert = diesel::insert_into(look_image::table)
        .values((
            look_image::id.eq(subject.id(permit)),
            look_image::tenant_id.eq(permit.tenant().as_str()),
            look_image::brand_id.eq(permit.brand().as_uuid()),
            look_image::product_id.eq(subject.product()),
            look_image::content_type.eq(image.format().content_type()),
            look_image::content.eq(image.bytes().as_ref()),
        ))
        .on_conflict(look_image::id)
        .do_update()
        .set((
            look_image::content_type.eq(excluded(look_image::content_type)),
            look_image::content.eq(excluded(look_image::content)),
            look_image::updated_at.eq(diesel::dsl::now),
        ));
    let another = look_image::content.ne(excluded(look_image::content));
    let changed = methods::FilterDsl::filter(upsert, another).execute(conn).await.or_fault()?;
    Ok(changed > 0)
}

/// Takes an image away; whether there was one.
pub async fn delete_image<A: ChangesLook>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    subject: Subject,
) -> Result<bool> {
    let mine = look_image::table
        .filter(look_image::tenant_id.eq(permit.tenant().as_str()))
        .filter(look_image::brand_id.eq(permit.brand().as_uuid()))
        .filter(look_image::id.eq(subject.id(permit)));
    Ok(diesel::delete(mine).execute(conn).await.or_fault()? > 0)
}

/// Counts up the version of every product that the subject is shown with, so that the directory takes it anew; answers
/// which they are.
pub async fn touch<A: ChangesLook>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    subject: Subject,
) -> Result<Vec<ProductId>> {
    let mut statement = diesel::update(product::table)
        .filter(product::tenant_id.eq(permit.tenant().as_str()))
        .filter(product::brand_id.eq(permit.brand().as_uuid()))
        .set(product::version.eq(product::version + 1))
        .into_boxed();
    if let Some(id) = subject.product() {
        statement = statement.filter(product::id.eq(id));
    }
    let touched: Vec<Uuid> = statement.returning(product::id).get_results(conn).await.or_fault()?;
    Ok(touched.into_iter().map(ProductId::from_uuid).collect())
}

/// What the directory shall know of a product's look. Runs under the permit of a job, which names the tenant.
pub(super) async fn of_product(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    id: ProductId,
) -> Result<Option<wire::Presentation>> {
    let mine = product::tenant_id.eq(tenant.as_str()).and(product::id.eq(id.as_uuid()));
    let brand: Uuid =
        product::table.filter(mine).select(product::brand_id).first(conn).await.or_not_found("product")?;
    let primary_colour: Option<String> = brand_presentation::table
        .filter(brand_presentation::tenant_id.eq(tenant.as_str()))
        .filter(brand_presentation::brand_id.eq(brand))
        .select(brand_presentation::primary_colour)
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    let rows: Vec<(Uuid, String, Vec<u8>)> = look_image::table
        .filter(look_image::tenant_id.eq(tenant.as_str()))
        .filter(look_image::id.eq_any([brand, id.as_uuid()]))
        .select((look_image::id, look_image::content_type, look_image::content))
        .load(conn)
        .await
        .or_fault()?;
    let (mut logo, mut picture) = (None, None);
    for (shown, content_type, content) in rows {
        let image = wire::Image { content_type, content };
        *(if shown == brand { &mut logo } else { &mut picture }) = Some(image);
    }
    let plain = primary_colour.is_none() && logo.is_none() && picture.is_none();
    Ok((!plain).then_some(wire::Presentation { primary_colour, logo, picture }))
}
