//! `/v1/brands`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use mintmark_auth::action;
use mintmark_ids::BrandId;
use mintmark_web::{Access, Answer, Body, Caller, Later, List, Page, PathOf, Route};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::paging::{self, PageParams};
use crate::app::brands::Brands;
use crate::app::rights::Rights;
use crate::store::brands::Brand;

/// The part of the OpenAPI document about brands.
#[derive(OpenApi)]
#[openapi(paths(create, list, find))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/brands", Access::Session, create),
        Route::get("/v1/brands", Access::Session, list),
        Route::get("/v1/brands/{brandId}", Access::Session, find),
    ]
}

/// A brand to create.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewBrandBody {
    /// 1 to 200 characters.
    #[schema(example = "Acme Gin", min_length = 1, max_length = 200)]
    name: String,
}

/// A brand.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BrandView {
    #[schema(value_type = String, example = "brd_01h45ytscbebyvny4gc8cr8ma2")]
    id: BrandId,
    name: String,
    created_at: DateTime<Utc>,
}

impl From<Brand> for BrandView {
    fn from(brand: Brand) -> Self {
        BrandView { id: brand.id, name: brand.name, created_at: brand.created_at }
    }
}

/// Creates a brand (tenant administrators); its creator becomes its Owner.
#[utoipa::path(
    post, path = "/v1/brands", tag = "brands", request_body = NewBrandBody,
    responses((status = 201, body = BrandView)))]
async fn create(
    (brands, rights): (web::Data<Brands>, web::Data<Rights>),
    Caller(who): Caller,
    body: Later<Body<NewBrandBody>>,
) -> Answer {
    let body = body.after(rights.tenant::<action::CreateBrand>(&who)).await?;
    let brand = brands.create(&who, &body.name).await?;
    let location = format!("/v1/brands/{}", brand.id);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(BrandView::from(brand)))
}

/// Lists the brands that you have a role for, newest first.
#[utoipa::path(
    get, path = "/v1/brands", tag = "brands", params(PageParams),
    responses((status = 200, body = List<BrandView>)))]
async fn list(brands: web::Data<Brands>, Caller(who): Caller, page: Page) -> Answer {
    let slice = brands.list(&who, paging::window(&page)).await?;
    Ok(HttpResponse::Ok().json(paging::list(slice, BrandView::from)))
}

/// Shows a brand (members).
#[utoipa::path(
    get, path = "/v1/brands/{brandId}", tag = "brands", params(("brandId" = String, Path)),
    responses((status = 200, body = BrandView)))]
async fn find(brands: web::Data<Brands>, Caller(who): Caller, id: PathOf<BrandId>) -> Answer {
    let brand = brands.find(&who, id.0).await?;
    Ok(HttpResponse::Ok().json(BrandView::from(brand)))
}
