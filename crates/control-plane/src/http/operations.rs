//! `/v1/batches/{batchId}/cancel`, `…/revoke`, `…/codes/revoke` and `…/secret/destroy`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use mintmark_auth::action;
use mintmark_ids::BatchId;
use mintmark_web::{Access, Answer, Body, Caller, Later, PathOf, Route};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::batches::BatchView;
use crate::app::cancel::Cancellations;
use crate::app::revoke::Revocations;
use crate::app::rights::Rights;
use crate::app::secrets::Secrets;
use crate::store::batches::BatchState;
use crate::store::operations::CodesRevoked;

/// The part of the OpenAPI document about what is done to batches.
#[derive(OpenApi)]
#[openapi(paths(cancel, revoke, revoke_codes, destroy_secret))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/batches/{batchId}/cancel", Access::Session, cancel),
        Route::post("/v1/batches/{batchId}/revoke", Access::Session, revoke),
        Route::post("/v1/batches/{batchId}/codes/revoke", Access::Session, revoke_codes),
        Route::post("/v1/batches/{batchId}/secret/destroy", Access::Session, destroy_secret),
    ]
}

/// Why a batch is recalled.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokeBody {
    /// Stands in the batch's history. 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500, example = "the ink of this run fades")]
    reason: String,
}

// Neither printable nor serialisable: it holds codes.
/// Codes to recall.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokeCodesBody {
    /// 1 to 1,000 codes, written in any way that people write them.
    #[schema(min_items = 1, max_items = 1000)]
    codes: Vec<String>,
    /// Stands in the batch's history. 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// What became of the codes. The numbers add up to the number of different codes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevokedCodesView {
    /// Recalled now.
    revoked: u32,
    /// Recalled before.
    already_revoked: u32,
    /// Of no unit of this batch.
    unmatched: u32,
}

impl From<CodesRevoked> for RevokedCodesView {
    fn from(counts: CodesRevoked) -> Self {
        let CodesRevoked { revoked, already_revoked, unmatched } = counts;
        RevokedCodesView { revoked, already_revoked, unmatched }
    }
}

/// Says that the destruction is meant.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DestroyBody {
    /// The id of the batch, once more.
    #[schema(example = "bat_01h45ytscbebyvny4gc8cr8ma2")]
    confirm: String,
}

/// Calls a batch off (Admin, Owner): 200 when it is cancelled, 202 while a worker still stops.
#[utoipa::path(
    post, path = "/v1/batches/{batchId}/cancel", tag = "batches", params(("batchId" = String, Path)),
    responses((status = 200, body = BatchView), (status = 202, body = BatchView)))]
async fn cancel(cancellations: web::Data<Cancellations>, Caller(who): Caller, id: PathOf<BatchId>) -> Answer {
    let tracked = cancellations.cancel(&who, id.0).await?;
    let done = tracked.batch.state == BatchState::Cancelled;
    let status = if done { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(HttpResponse::build(status).json(BatchView::from(tracked)))
}

/// Recalls a sealed batch for ever (Admin, Owner); the answer comes when the directory has committed.
#[utoipa::path(
    post, path = "/v1/batches/{batchId}/revoke", tag = "batches", request_body = RevokeBody,
    params(("batchId" = String, Path)), responses((status = 200, body = BatchView)))]
async fn revoke(
    (revocations, rights): (web::Data<Revocations>, web::Data<Rights>),
    Caller(who): Caller,
    id: PathOf<BatchId>,
    body: Later<Body<RevokeBody>>,
) -> Answer {
    let body = body.after(rights.batch::<action::RevokeBatch>(&who, id.0)).await?;
    let tracked = revocations.batch(&who, id.0, &body.reason).await?;
    Ok(HttpResponse::Ok().json(BatchView::from(tracked)))
}

/// Recalls codes for ever, those of them that are of this batch (Admin, Owner).
#[utoipa::path(
    post, path = "/v1/batches/{batchId}/codes/revoke", tag = "batches", request_body = RevokeCodesBody,
    params(("batchId" = String, Path)), responses((status = 200, body = RevokedCodesView)))]
async fn revoke_codes(
    (revocations, rights): (web::Data<Revocations>, web::Data<Rights>),
    Caller(who): Caller,
    id: PathOf<BatchId>,
    body: Later<Body<RevokeCodesBody>>,
) -> Answer {
    let body = body.after(rights.batch::<action::RevokeBatch>(&who, id.0)).await?;
    let counts = revocations.codes(&who, id.0, &body.codes, &body.reason).await?;
    Ok(HttpResponse::Ok().json(RevokedCodesView::from(counts)))
}

/// Destroys the secret that a batch's codes are derived from (Owner): no export and no list shows a code of it again.
#[utoipa::path(
    post, path = "/v1/batches/{batchId}/secret/destroy", tag = "batches", request_body = DestroyBody,
    params(("batchId" = String, Path)), responses((status = 200, body = BatchView)))]
async fn destroy_secret(
    (secrets, rights): (web::Data<Secrets>, web::Data<Rights>),
    Caller(who): Caller,
    id: PathOf<BatchId>,
    body: Later<Body<DestroyBody>>,
) -> Answer {
    let body = body.after(rights.batch::<action::DestroyBatchSecret>(&who, id.0)).await?;
    let tracked = secrets.destroy(&who, id.0, &body.confirm).await?;
    Ok(HttpResponse::Ok().json(BatchView::from(tracked)))
}
