//! How a brand and its products look on the verification page. The directory is told of each change by a job for each
//! product that it shows on.

use bytes::Bytes;
use diesel_async::AsyncPgConnection;
use mintmark_audit::{self as audit, AuditEvent};
use mintmark_auth::policy::Permit;
use mintmark_auth::{Principal, action};
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::{BrandId, ProductId};
use mintmark_look::{Colour, Image, ImageError, MAX_BYTES};
use serde_json::{Value, json};

use super::access;
use crate::job_kinds::{SyncProduct, SyncProductPayload};
use crate::store::presentation::{self, ChangesLook, Subject};

/// What people do with looks.
#[derive(Clone)]
pub struct Presentations {
    pool: Pool,
}

/// A brand's look.
#[derive(Debug)]
pub struct Presentation {
    /// Its colour.
    pub colour: Option<Colour>,
    /// Its logo.
    pub logo: Option<Image>,
}

impl Presentations {
    /// Works on the given database.
    pub fn new(pool: Pool) -> Self {
        Presentations { pool }
    }

    /// A brand's look.
    pub async fn find(&self, who: &Principal, brand: BrandId) -> Result<Presentation> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_brand::<action::ViewBrand>(&mut conn, who, brand).await?;
        Ok(Presentation {
            colour: presentation::colour(&mut conn, &permit).await?,
            logo: presentation::image(&mut conn, &permit, Subject::Logo).await?,
        })
    }

    /// Gives a brand a colour, or takes it away.
    pub async fn set_colour(&self, who: &Principal, brand: BrandId, colour: Option<&str>) -> Result<()> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_brand::<action::UpdateBrand>(&mut conn, who, brand).await?;
        let colour = colour
            .map(str::parse::<Colour>)
            .transpose()
            .map_err(|error| Fault::invalid("COLOUR_INVALID", "primaryColour", error.to_string()))?;
        transaction("brand.colour", &mut conn, async |conn: &mut AsyncPgConnection| {
            if !presentation::set_colour(conn, &permit, colour).await? {
                return Ok(());
            }
            let detail = json!({ "colour": colour.map(|colour| colour.to_string()) });
            audit::record(conn, &act(&permit, "BRAND_COLOUR_SET", Subject::Logo, detail)).await?;
            tell_directory(conn, &permit, Subject::Logo).await
        })
        .await
    }

    /// A brand's logo; 404 when it has none.
    pub async fn logo(&self, who: &Principal, brand: BrandId) -> Result<Image> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_brand::<action::ViewBrand>(&mut conn, who, brand).await?;
        let image = presentation::image(&mut conn, &permit, Subject::Logo).await?;
        image.ok_or_else(|| Fault::not_found("logo"))
    }

    /// Changes a brand's logo, or takes it away.
    pub async fn set_logo(&self, who: &Principal, brand: BrandId, upload: Option<Upload>) -> Result<()> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_brand::<action::UpdateBrand>(&mut conn, who, brand).await?;
        change(&mut conn, &permit, Subject::Logo, upload).await
    }

    /// A product's picture; 404 when it has none.
    pub async fn picture(&self, who: &Principal, product: ProductId) -> Result<Image> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_product::<action::ViewProduct>(&mut conn, who, product).await?;
        let image = presentation::image(&mut conn, &permit, Subject::Picture(product)).await?;
        image.ok_or_else(|| Fault::not_found("picture"))
    }

    /// Changes a product's picture, or takes it away.
    pub async fn set_picture(
        &self,
        who: &Principal,
        product: ProductId,
        upload: Option<Upload>,
    ) -> Result<()> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_product::<action::UpdateProduct>(&mut conn, who, product).await?;
        change(&mut conn, &permit, Subject::Picture(product), upload).await
    }
}

/// A file that somebody sent, not yet judged.
#[derive(Debug)]
pub struct Upload {
    /// What it says it is.
    pub content_type: String,
    /// The file.
    pub bytes: Bytes,
}

impl Upload {
    fn judged(self) -> Result<Image> {
        Image::new(&self.content_type, self.bytes).map_err(|error| match error {
            ImageError::Type => {
                let sentence =
                    "send the image with the header Content-Type: image/png, image/jpeg or image/webp";
                Fault::new(Kind::UnsupportedMedia, "IMAGE_TYPE_UNSUPPORTED", sentence)
            }
            ImageError::Bytes => {
                Fault::new(Kind::TooLarge, "BODY_TOO_LARGE", error.to_string()).with("limit", MAX_BYTES)
            }
            ImageError::Content => Fault::new(Kind::InvalidInput, "IMAGE_MALFORMED", error.to_string()),
            ImageError::Side => Fault::new(Kind::InvalidInput, "IMAGE_TOO_LARGE", error.to_string()),
        })
    }
}

async fn change<A: ChangesLook>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    subject: Subject,
    upload: Option<Upload>,
) -> Result<()> {
    let image = upload.map(Upload::judged).transpose()?;
    transaction("look.image", conn, async |conn: &mut AsyncPgConnection| {
        let changed = match &image {
            Some(image) => presentation::put_image(conn, permit, subject, image).await?,
            None => presentation::delete_image(conn, permit, subject).await?,
        };
        if !changed {
            return Ok(());
        }
        let action = match subject {
            Subject::Logo => "BRAND_LOGO_SET",
            Subject::Picture(_) => "PRODUCT_PICTURE_SET",
        };
        let detail = json!({ "sha256": image.as_ref().map(|image| image.hash().to_string()) });
        audit::record(conn, &act(permit, action, subject, detail)).await?;
        tell_directory(conn, permit, subject).await
    })
    .await
}

fn act<'a, A: ChangesLook>(
    permit: &'a Permit<A>,
    action: &'static str,
    subject: Subject,
    detail: Value,
) -> AuditEvent<'a> {
    let resource = match subject {
        Subject::Logo => ("brand", permit.brand().to_string()),
        Subject::Picture(product) => ("product", product.to_string()),
    };
    AuditEvent::allowed(Some(permit.tenant()), permit.actor(), action, resource, detail)
}

async fn tell_directory<A: ChangesLook>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    subject: Subject,
) -> Result<()> {
    for product_id in presentation::touch(conn, permit, subject).await? {
        let payload = SyncProductPayload { product_id };
        mintmark_jobs::enqueue::<SyncProduct>(conn, permit.tenant(), permit.actor(), &payload).await?;
    }
    Ok(())
}
