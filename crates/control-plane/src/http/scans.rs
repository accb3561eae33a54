//! `/v1/batches/{batchId}/scans` and `/v1/brands/{brandId}/scans`.

use actix_web::{HttpResponse, web};
use chrono::{DateTime, NaiveDate, Utc};
use mintmark_auth::action;
use mintmark_fault::Fault;
use mintmark_ids::{BatchId, BrandId, ProductId};
use mintmark_web::{Access, Answer, Caller, Later, PathOf, QueryOf, Route};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::app::rights::Rights;
use crate::app::scans::{Report, Scans, days};
use crate::store::scans::{Count, Days, OfProduct};

/// The part of the OpenAPI document about scans.
#[derive(OpenApi)]
#[openapi(paths(of_batch, of_brand))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/batches/{batchId}/scans", Access::Session, of_batch),
        Route::get("/v1/brands/{brandId}/scans", Access::Session, of_brand),
    ]
}

/// Which days, in UTC; both are included.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DayParams {
    /// The first day; without it 30 days up to `to`. At most 366 days.
    #[param(value_type = Option<String>, example = "2026-11-01")]
    from: Option<NaiveDate>,
    /// The last day; today without it.
    #[param(value_type = Option<String>, example = "2026-11-30")]
    to: Option<NaiveDate>,
}

/// How many scans by people; crawlers and previews are not counted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CountView {
    scans: u64,
    /// Scans that activated their unit.
    first_activations: u64,
    /// Scans that found no unit on sale: a code that does not exist under the product's GTIN, a batch that is not sealed
    /// or was given up, a recalled unit.
    went_nowhere: u64,
}

/// The scans of a day.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DayView {
    /// In UTC.
    #[schema(value_type = String, example = "2026-11-22")]
    day: NaiveDate,
    #[serde(flatten)]
    count: CountView,
}

/// The scans from a country.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CountryView {
    /// ISO 3166-1 alpha-2; null where no country is known.
    #[schema(example = "DE")]
    country: Option<String>,
    scans: u64,
}

/// The scans of a product.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductScansView {
    #[schema(value_type = String, example = "prd_01h45ytscbebyvny4gc8cr8ma2")]
    product_id: ProductId,
    /// 14 digits.
    gtin: String,
    name: String,
    #[serde(flatten)]
    count: CountView,
}

/// Scans in sums. They come from the public plane every few seconds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScansView {
    #[schema(value_type = String, example = "2026-10-24")]
    from: NaiveDate,
    #[schema(value_type = String, example = "2026-11-22")]
    to: NaiveDate,
    totals: CountView,
    /// In order; days without scans are left out.
    by_day: Vec<DayView>,
    /// Most scans first.
    by_country: Vec<CountryView>,
    /// Most scans first; products without scans are left out. Only for a brand.
    #[serde(skip_serializing_if = "Option::is_none")]
    by_product: Option<Vec<ProductScansView>>,
    /// Up to when scans are counted; null before the first batch of the tenant is sealed.
    as_of: Option<DateTime<Utc>>,
}

impl From<Count> for CountView {
    fn from(count: Count) -> Self {
        CountView {
            scans: count.scans,
            first_activations: count.first_activations,
            went_nowhere: count.went_nowhere,
        }
    }
}

impl From<OfProduct> for ProductScansView {
    fn from(of: OfProduct) -> Self {
        ProductScansView {
            product_id: of.product,
            gtin: of.gtin.as_str().to_owned(),
            name: of.name,
            count: of.count.into(),
        }
    }
}

fn view(report: Report, with_products: bool) -> ScansView {
    let figures = report.figures;
    let day = |(day, count): (NaiveDate, Count)| DayView { day, count: count.into() };
    let country = |(country, count): (Option<String>, Count)| CountryView { country, scans: count.scans };
    let by_product = || figures.by_product.into_iter().map(ProductScansView::from).collect();
    ScansView {
        from: report.days.from,
        to: report.days.to,
        totals: report.totals.into(),
        by_day: figures.by_day.into_iter().map(day).collect(),
        by_country: figures.by_country.into_iter().map(country).collect(),
        by_product: with_products.then(by_product),
        as_of: report.as_of,
    }
}

fn wanted(asked: QueryOf<DayParams>) -> Result<Days, Fault> {
    days(asked.from, asked.to, Utc::now().date_naive())
}

/// Shows how often the units of a batch were scanned (members).
#[utoipa::path(
    get, path = "/v1/batches/{batchId}/scans", tag = "batches", params(("batchId" = String, Path), DayParams),
    responses((status = 200, body = ScansView)))]
async fn of_batch(
    (scans, rights): (web::Data<Scans>, web::Data<Rights>),
    Caller(who): Caller,
    id: PathOf<BatchId>,
    asked: Later<QueryOf<DayParams>>,
) -> Answer {
    let days = asked.check(wanted).after(rights.batch::<action::ViewBatch>(&who, id.0)).await?;
    let report = scans.of_batch(&who, id.0, days).await?;
    Ok(HttpResponse::Ok().json(view(report, false)))
}

/// Shows how often the units of a brand were scanned, by product too (members).
#[utoipa::path(
    get, path = "/v1/brands/{brandId}/scans", tag = "brands", params(("brandId" = String, Path), DayParams),
    responses((status = 200, body = ScansView)))]
async fn of_brand(
    (scans, rights): (web::Data<Scans>, web::Data<Rights>),
    Caller(who): Caller,
    id: PathOf<BrandId>,
    asked: Later<QueryOf<DayParams>>,
) -> Answer {
    let days = asked.check(wanted).after(rights.brand::<action::ViewBrand>(&who, id.0)).await?;
    let report = scans.of_brand(&who, id.0, days).await?;
    Ok(HttpResponse::Ok().json(view(report, true)))
}
