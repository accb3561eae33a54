//! `/v1/products`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use mintmark_auth::action;
use mintmark_ids::{BrandId, ProductId};
use mintmark_web::{Access, Answer, Body, Caller, Later, List, Page, PathOf, QueryOf, Route};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::paging::{self, PageParams};
use crate::app::products::Products;
use crate::app::rights::Rights;
use crate::store::products::{Product, ProductChange};

/// The part of the OpenAPI document about products.
#[derive(OpenApi)]
#[openapi(paths(create, list, find, update))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/products", Access::Session, create),
        Route::get("/v1/products", Access::Session, list),
        Route::get("/v1/products/{productId}", Access::Session, find),
        Route::patch("/v1/products/{productId}", Access::Session, update),
    ]
}

/// A product to create.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewProductBody {
    /// The brand that it belongs to.
    #[schema(value_type = String)]
    brand_id: BrandId,
    /// 8, 12, 13 or 14 digits with a correct check digit; unique within the tenant.
    #[schema(example = "09506000134352")]
    gtin: String,
    /// 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Where a scan leads: an https URL that may hold `{gtin}`, `{serial}` and `{batch}`; absent: the built-in page.
    #[schema(example = "https://brand.example/p/{gtin}/{serial}", max_length = 2000)]
    destination_template: Option<String>,
}

/// What to change of a product; what is left out stays.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProductChangeBody {
    /// 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// A new destination; null goes back to the built-in page.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    destination_template: Option<Option<String>>,
}

/// Tells a null from a field that is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

/// Whose products.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct OfBrand {
    /// The brand.
    #[param(value_type = String)]
    brand_id: BrandId,
}

/// A product.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductView {
    #[schema(value_type = String, example = "prd_01h45ytscbebyvny4gc8cr8ma2")]
    id: ProductId,
    #[schema(value_type = String)]
    brand_id: BrandId,
    /// 14 digits.
    gtin: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_template: Option<String>,
    /// Counts the changes, from 1.
    version: u64,
    created_at: DateTime<Utc>,
}

impl From<Product> for ProductView {
    fn from(product: Product) -> Self {
        ProductView {
            id: product.id,
            brand_id: product.brand,
            gtin: product.gtin.as_str().to_owned(),
            name: product.name,
            destination_template: product.destination_template,
            version: product.version,
            created_at: product.created_at,
        }
    }
}

/// Creates a product (Admin, Owner).
#[utoipa::path(
    post, path = "/v1/products", tag = "products", request_body = NewProductBody,
    responses((status = 201, body = ProductView)))]
async fn create(products: web::Data<Products>, Caller(who): Caller, body: Body<NewProductBody>) -> Answer {
    let NewProductBody { brand_id, gtin, name, destination_template } = body.into_inner();
    let product = products.create(&who, brand_id, &gtin, &name, destination_template).await?;
    let location = format!("/v1/products/{}", product.id);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(ProductView::from(product)))
}

/// Lists a brand's products, newest first (members).
#[utoipa::path(
    get, path = "/v1/products", tag = "products", params(OfBrand, PageParams),
    responses((status = 200, body = List<ProductView>)))]
async fn list(
    (products, rights): (web::Data<Products>, web::Data<Rights>),
    Caller(who): Caller,
    of: QueryOf<OfBrand>,
    page: Later<Page>,
) -> Answer {
    let page = page.after(rights.brand::<action::ViewProduct>(&who, of.0.brand_id)).await?;
    let slice = products.list(&who, of.0.brand_id, paging::window(&page)).await?;
    Ok(HttpResponse::Ok().json(paging::list(slice, ProductView::from)))
}

/// Shows a product (members).
#[utoipa::path(
    get, path = "/v1/products/{productId}", tag = "products",
    params(("productId" = String, Path)),
    responses((status = 200, body = ProductView)))]
async fn find(products: web::Data<Products>, Caller(who): Caller, id: PathOf<ProductId>) -> Answer {
    let product = products.find(&who, id.0).await?;
    Ok(HttpResponse::Ok().json(ProductView::from(product)))
}

/// Changes a product's name or destination (Admin, Owner).
#[utoipa::path(
    patch, path = "/v1/products/{productId}", tag = "products",
    params(("productId" = String, Path)), request_body = ProductChangeBody,
    responses((status = 200, body = ProductView)))]
async fn update(
    (products, rights): (web::Data<Products>, web::Data<Rights>),
    Caller(who): Caller,
    id: PathOf<ProductId>,
    body: Later<Body<ProductChangeBody>>,
) -> Answer {
    let body = body.after(rights.product::<action::UpdateProduct>(&who, id.0)).await?;
    let ProductChangeBody { name, destination_template } = body.into_inner();
    let product = products.update(&who, id.0, ProductChange { name, destination_template }).await?;
    Ok(HttpResponse::Ok().json(ProductView::from(product)))
}
