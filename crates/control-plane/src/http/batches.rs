//! `/v1/brands/{brandId}/batches` and `/v1/batches/{batchId}`.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use mintmark_auth::{Actor, action};
use mintmark_ids::{BatchId, BrandId, ProductId};
use mintmark_web::{Access, Answer, Body, Caller, Later, List, Page, PathOf, Route};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::idempotency;
use super::paging::{self, PageParams};
use crate::app::batches::{Batches, Order, Progress, Tracked};
use crate::app::idempotency::Request;
use crate::app::rights::Rights;
use crate::store::batches::Failure;

/// The part of the OpenAPI document about batches.
#[derive(OpenApi)]
#[openapi(paths(submit, list, find))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/brands/{brandId}/batches", Access::Session, submit),
        Route::get("/v1/brands/{brandId}/batches", Access::Session, list),
        Route::get("/v1/batches/{batchId}", Access::Session, find),
    ]
}

/// A batch to mint.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewBatchBody {
    /// The product, which must be the brand's.
    #[schema(value_type = String)]
    product_id: ProductId,
    /// How many units.
    #[schema(minimum = 1, maximum = 10_000_000)]
    units: i64,
    /// `static` (a scan only confirms), `first_scan` (the first scan by a person activates) or `confirmed_scan` (a person's
    /// press of a button does).
    #[schema(example = "first_scan")]
    mode: String,
}

/// A batch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchView {
    #[schema(value_type = String, example = "bat_01h45ytscbebyvny4gc8cr8ma2")]
    id: BatchId,
    #[schema(value_type = String)]
    brand_id: BrandId,
    #[schema(value_type = String)]
    product_id: ProductId,
    /// 14 digits.
    gtin: String,
    units: u32,
    /// `static`, `first_scan` or `confirmed_scan`.
    mode: &'static str,
    /// `queued`, `minting`, `sealed` (published whole), `failed`, `cancelled` or `revoked` (recalled).
    state: &'static str,
    first_serial: u64,
    last_serial: u64,
    progress: ProgressView,
    /// `user:usr_…`.
    #[schema(value_type = String)]
    created_by: Actor,
    created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed_at: Option<DateTime<Utc>>,
    /// When it was recalled: scans of its units say so since.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<DateTime<Utc>>,
    /// Since when its codes can neither be shown nor exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_destroyed_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureView>,
}

/// How much is done, in units.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProgressView {
    /// Units that are done.
    pub done: u64,
    /// Units in all.
    pub total: u64,
}

/// Why something gave up.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailureView {
    /// A stable code.
    pub code: String,
    /// A sentence.
    pub message: String,
}

impl From<Progress> for ProgressView {
    fn from(progress: Progress) -> Self {
        ProgressView { done: progress.done, total: progress.total }
    }
}

impl From<Failure> for FailureView {
    fn from(failure: Failure) -> Self {
        FailureView { code: failure.code, message: failure.message }
    }
}

impl From<Tracked> for BatchView {
    fn from(Tracked { batch, progress }: Tracked) -> Self {
        BatchView {
            id: batch.id,
            brand_id: batch.brand,
            product_id: batch.product,
            gtin: batch.gtin.as_str().to_owned(),
            units: batch.units,
            mode: batch.mode.as_str(),
            state: batch.state.as_str(),
            first_serial: batch.first_serial,
            last_serial: batch.last_serial(),
            progress: progress.into(),
            created_by: batch.created_by,
            created_at: batch.created_at,
            sealed_at: batch.sealed_at,
            revoked_at: batch.revoked_at,
            secret_destroyed_at: batch.secret_destroyed_at,
            failure: batch.failure.map(FailureView::from),
        }
    }
}

/// Mints a batch in the background (Admin, Owner). Repeating the request under the same key gives the first answer.
#[utoipa::path(
    post, path = "/v1/brands/{brandId}/batches", tag = "batches", request_body = NewBatchBody,
    params(("brandId" = String, Path), ("Idempotency-Key" = String, Header, description = "1 to 255 visible ASCII characters")),
    responses((status = 202, body = BatchView)))]
async fn submit(
    (batches, rights): (web::Data<Batches>, web::Data<Rights>),
    Caller(who): Caller,
    brand: PathOf<BrandId>,
    http: HttpRequest,
    body: Later<Body<NewBatchBody>>,
) -> Answer {
    let brand = brand.0;
    let body = body.after(rights.brand::<action::SubmitMint>(&who, brand)).await?;
    let (key, fingerprint) = (idempotency::key(&http), body.fingerprint());
    let request =
        || Request::required("POST", format!("/v1/brands/{brand}/batches"), key.as_deref(), fingerprint);
    let NewBatchBody { product_id, units, mode } = body.into_inner();
    let order = Order { product: product_id, units, mode };
    let answer = batches.submit(&who, brand, request, order, render).await?;
    Ok(idempotency::respond(&answer, "/v1/batches"))
}

fn render(batch: &Tracked) -> Value {
    // Text keys and plain values alone: this cannot fail, and null would be seen by every test.
    serde_json::to_value(BatchView::from(batch.clone())).unwrap_or_default()
}

/// Lists a brand's batches, newest first (members).
#[utoipa::path(
    get, path = "/v1/brands/{brandId}/batches", tag = "batches",
    params(("brandId" = String, Path), PageParams),
    responses((status = 200, body = List<BatchView>)))]
async fn list(
    (batches, rights): (web::Data<Batches>, web::Data<Rights>),
    Caller(who): Caller,
    brand: PathOf<BrandId>,
    page: Later<Page>,
) -> Answer {
    let page = page.after(rights.brand::<action::ViewBatch>(&who, brand.0)).await?;
    let slice = batches.list(&who, brand.0, paging::window(&page)).await?;
    Ok(HttpResponse::Ok().json(paging::list(slice, BatchView::from)))
}

/// Shows a batch and how far it is (members).
#[utoipa::path(
    get, path = "/v1/batches/{batchId}", tag = "batches", params(("batchId" = String, Path)),
    responses((status = 200, body = BatchView)))]
async fn find(batches: web::Data<Batches>, Caller(who): Caller, id: PathOf<BatchId>) -> Answer {
    let tracked = batches.find(&who, id.0).await?;
    Ok(HttpResponse::Ok().json(BatchView::from(tracked)))
}
