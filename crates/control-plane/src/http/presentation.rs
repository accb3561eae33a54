//! How a brand looks: `/v1/brands/{brandId}/presentation`, its logo, and the pictures of products.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use mintmark_auth::action;
use mintmark_ids::{BrandId, ProductId};
use mintmark_look::{Image, MAX_BYTES};
use mintmark_web::{Access, Answer, Body, Caller, FileBody, Later, PathOf, Route};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::app::presentation::{Presentation, Presentations, Upload};
use crate::app::rights::Rights;

/// The part of the OpenAPI document about looks.
#[derive(OpenApi)]
#[openapi(paths(
    find,
    set_colour,
    clear_colour,
    logo,
    set_logo,
    clear_logo,
    picture,
    set_picture,
    clear_picture
))]
pub struct Doc;

const LOOK: &str = "/v1/brands/{brandId}/presentation";
const LOGO: &str = "/v1/brands/{brandId}/logo";
const PICTURE: &str = "/v1/products/{productId}/picture";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(LOOK, Access::Session, find),
        Route::put(LOOK, Access::Session, set_colour),
        Route::delete(LOOK, Access::Session, clear_colour),
        Route::get(LOGO, Access::Session, logo),
        Route::put(LOGO, Access::Session, set_logo).body_limit(MAX_BYTES),
        Route::delete(LOGO, Access::Session, clear_logo),
        Route::get(PICTURE, Access::Session, picture),
        Route::put(PICTURE, Access::Session, set_picture).body_limit(MAX_BYTES),
        Route::delete(PICTURE, Access::Session, clear_picture),
    ]
}

/// A look to give a brand.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PresentationBody {
    /// The accent of the verification page. Black or white is written on it, whichever is read better.
    #[schema(example = "#0b4f6c", pattern = "^#[0-9a-fA-F]{6}$")]
    primary_colour: String,
}

/// How a brand looks.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresentationView {
    /// Absent: the page's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_colour: Option<String>,
    /// Absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    logo: Option<ImageView>,
}

/// What is known of an image.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageView {
    content_type: &'static str,
    bytes: usize,
    width: u32,
    height: u32,
    /// Of its bytes, in hexadecimal digits.
    sha256: String,
}

impl From<&Image> for ImageView {
    fn from(image: &Image) -> Self {
        ImageView {
            content_type: image.format().content_type(),
            bytes: image.bytes().len(),
            width: image.width(),
            height: image.height(),
            sha256: image.hash().to_string(),
        }
    }
}

impl From<Presentation> for PresentationView {
    fn from(look: Presentation) -> Self {
        PresentationView {
            primary_colour: look.colour.map(|colour| colour.to_string()),
            logo: look.logo.as_ref().map(ImageView::from),
        }
    }
}

/// Shows how a brand looks on the verification page (members).
#[utoipa::path(
    get, path = "/v1/brands/{brandId}/presentation", tag = "brands", params(("brandId" = String, Path)),
    responses((status = 200, body = PresentationView)))]
async fn find(looks: web::Data<Presentations>, Caller(who): Caller, brand: PathOf<BrandId>) -> Answer {
    Ok(HttpResponse::Ok().json(PresentationView::from(looks.find(&who, brand.0).await?)))
}

/// Gives a brand its colour (Admin, Owner). Scans show it once the directory has been told, which takes a moment.
#[utoipa::path(
    put, path = "/v1/brands/{brandId}/presentation", tag = "brands", params(("brandId" = String, Path)),
    request_body = PresentationBody, responses((status = 200, body = PresentationView)))]
async fn set_colour(
    (looks, rights): (web::Data<Presentations>, web::Data<Rights>),
    Caller(who): Caller,
    brand: PathOf<BrandId>,
    body: Later<Body<PresentationBody>>,
) -> Answer {
    let body = body.after(rights.brand::<action::UpdateBrand>(&who, brand.0)).await?;
    looks.set_colour(&who, brand.0, Some(&body.primary_colour)).await?;
    Ok(HttpResponse::Ok().json(PresentationView::from(looks.find(&who, brand.0).await?)))
}

/// Takes a brand's colour away (Admin, Owner).
#[utoipa::path(
    delete, path = "/v1/brands/{brandId}/presentation", tag = "brands", params(("brandId" = String, Path)),
    responses((status = 204)))]
async fn clear_colour(
    looks: web::Data<Presentations>,
    Caller(who): Caller,
    brand: PathOf<BrandId>,
) -> Answer {
    looks.set_colour(&who, brand.0, None).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Shows a brand's logo (members).
#[utoipa::path(
    get, path = "/v1/brands/{brandId}/logo", tag = "brands", params(("brandId" = String, Path)),
    responses((status = 200, description = "The image as it was uploaded")))]
async fn logo(looks: web::Data<Presentations>, Caller(who): Caller, brand: PathOf<BrandId>) -> Answer {
    Ok(file(&looks.logo(&who, brand.0).await?))
}

/// Changes a brand's logo (Admin, Owner): PNG, JPEG or still WebP, at most 256 KiB and 2048 pixels a side.
#[utoipa::path(
    put, path = "/v1/brands/{brandId}/logo", tag = "brands", params(("brandId" = String, Path)),
    request_body(content = Vec<u8>, content_type = "image/png"), responses((status = 204)))]
async fn set_logo(
    (looks, rights): (web::Data<Presentations>, web::Data<Rights>),
    Caller(who): Caller,
    brand: PathOf<BrandId>,
    body: Later<FileBody>,
) -> Answer {
    let body = body.after(rights.brand::<action::UpdateBrand>(&who, brand.0)).await?;
    looks.set_logo(&who, brand.0, Some(upload(body))).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Takes a brand's logo away (Admin, Owner).
#[utoipa::path(
    delete, path = "/v1/brands/{brandId}/logo", tag = "brands", params(("brandId" = String, Path)),
    responses((status = 204)))]
async fn clear_logo(looks: web::Data<Presentations>, Caller(who): Caller, brand: PathOf<BrandId>) -> Answer {
    looks.set_logo(&who, brand.0, None).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Shows a product's picture (members).
#[utoipa::path(
    get, path = "/v1/products/{productId}/picture", tag = "products", params(("productId" = String, Path)),
    responses((status = 200, description = "The image as it was uploaded")))]
async fn picture(looks: web::Data<Presentations>, Caller(who): Caller, product: PathOf<ProductId>) -> Answer {
    Ok(file(&looks.picture(&who, product.0).await?))
}

/// Changes a product's picture (Admin, Owner): PNG, JPEG or still WebP, at most 256 KiB and 2048 pixels a side.
#[utoipa::path(
    put, path = "/v1/products/{productId}/picture", tag = "products", params(("productId" = String, Path)),
    request_body(content = Vec<u8>, content_type = "image/png"), responses((status = 204)))]
async fn set_picture(
    (looks, rights): (web::Data<Presentations>, web::Data<Rights>),
    Caller(who): Caller,
    product: PathOf<ProductId>,
    body: Later<FileBody>,
) -> Answer {
    let body = body.after(rights.product::<action::UpdateProduct>(&who, product.0)).await?;
    looks.set_picture(&who, product.0, Some(upload(body))).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Takes a product's picture away (Admin, Owner).
#[utoipa::path(
    delete, path = "/v1/products/{productId}/picture", tag = "products", params(("productId" = String, Path)),
    responses((status = 204)))]
async fn clear_picture(
    looks: web::Data<Presentations>,
    Caller(who): Caller,
    product: PathOf<ProductId>,
) -> Answer {
    looks.set_picture(&who, product.0, None).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn upload(body: FileBody) -> Upload {
    Upload { content_type: body.content_type, bytes: body.bytes }
}

/// Somebody else's bytes: nothing in them may run, should a browser open them by themselves.
fn file(image: &Image) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .insert_header((CONTENT_TYPE, image.format().content_type()))
        .body(image.bytes().clone())
}
