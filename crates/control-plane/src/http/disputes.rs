//! `/v1/disputes`.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use mintmark_auth::{DisputeState, action};
use mintmark_ids::DisputeId;
use mintmark_web::{Access, Answer, Body, Caller, Later, List, Page, PathOf, QueryOf, Route};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::idempotency;
use super::paging::{self, PageParams};
use crate::app::disputes::Disputes;
use crate::app::idempotency::Request;
use crate::app::rights::Rights;
use crate::store::disputes::Dispute;

/// The part of the OpenAPI document about disputes.
#[derive(OpenApi)]
#[openapi(paths(open, list, find, close))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/disputes", Access::Session, open),
        Route::get("/v1/disputes", Access::Session, list),
        Route::get("/v1/disputes/{disputeId}", Access::Session, find),
        Route::post("/v1/disputes/{disputeId}/close", Access::Session, close),
    ]
}

/// A dispute to open.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DisputeBody {
    /// What you call it, for example a case number: 1 to 200 characters.
    #[schema(example = "CASE-2026-0117")]
    reference: String,
}

/// How a dispute ends.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CloseBody {
    /// `upheld`, `rejected` or `settled`.
    #[schema(example = "upheld")]
    outcome: String,
}

/// Which disputes.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DisputeParams {
    /// `open` or `closed`; absent: both.
    #[param(value_type = Option<String>)]
    state: Option<DisputeState>,
}

/// A dispute.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DisputeView {
    #[schema(value_type = String, example = "dsp_01h45ytscbebyvny4gc8cr8ma2")]
    id: DisputeId,
    reference: String,
    /// `open` or `closed`.
    #[schema(value_type = String)]
    state: DisputeState,
    /// `user:usr_…`.
    opened_by: String,
    opened_at: DateTime<Utc>,
    /// `upheld`, `rejected` or `settled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<DateTime<Utc>>,
}

impl From<Dispute> for DisputeView {
    fn from(dispute: Dispute) -> Self {
        let state = dispute.state();
        let (outcome, closed_by, closed_at) = match dispute.closed {
            Some(closed) => (Some(closed.outcome), Some(closed.by), Some(closed.at)),
            None => (None, None, None),
        };
        DisputeView {
            id: dispute.id,
            reference: dispute.reference,
            state,
            opened_by: dispute.opened_by,
            opened_at: dispute.opened_at,
            outcome,
            closed_by,
            closed_at,
        }
    }
}

type Parts = (web::Data<Disputes>, web::Data<Rights>);

fn render(dispute: &Dispute) -> Value {
    // Text keys and plain values alone: this cannot fail.
    serde_json::to_value(DisputeView::from(dispute.clone())).unwrap_or_default()
}

/// Opens a dispute (any role for evidence). Repeating the request under the same key gives the first answer.
#[utoipa::path(
    post, path = "/v1/disputes", tag = "disputes", request_body = DisputeBody,
    params(("Idempotency-Key" = String, Header, description = "1 to 255 visible ASCII characters")),
    responses((status = 201, body = DisputeView)))]
async fn open(
    (disputes, rights): Parts,
    Caller(who): Caller,
    http: HttpRequest,
    body: Later<Body<DisputeBody>>,
) -> Answer {
    let body = body.after(rights.tenant::<action::OpenDispute>(&who)).await?;
    let (key, fingerprint) = (idempotency::key(&http), body.fingerprint());
    let request = || Request::required("POST", "/v1/disputes".to_owned(), key.as_deref(), fingerprint);
    let answer = disputes.open(&who, request, &body.reference, render).await?;
    Ok(idempotency::respond(&answer, "/v1/disputes"))
}

/// Lists the disputes of your tenant, newest first (any role for evidence).
#[utoipa::path(
    get, path = "/v1/disputes", tag = "disputes", params(DisputeParams, PageParams),
    responses((status = 200, body = List<DisputeView>)))]
async fn list(
    (disputes, rights): Parts,
    Caller(who): Caller,
    query: Later<QueryOf<DisputeParams>>,
    page: Later<Page>,
) -> Answer {
    let query = query.after(rights.tenant::<action::ViewDispute>(&who)).await?;
    let page = page.after(rights.tenant::<action::ViewDispute>(&who)).await?;
    let slice = disputes.list(&who, query.state, paging::window(&page)).await?;
    Ok(HttpResponse::Ok().json(paging::list(slice, DisputeView::from)))
}

/// Shows a dispute (any role for evidence).
#[utoipa::path(
    get, path = "/v1/disputes/{disputeId}", tag = "disputes", params(("disputeId" = String, Path)),
    responses((status = 200, body = DisputeView)))]
async fn find(disputes: web::Data<Disputes>, Caller(who): Caller, id: PathOf<DisputeId>) -> Answer {
    Ok(HttpResponse::Ok().json(DisputeView::from(disputes.find(&who, id.0).await?)))
}

/// Decides a dispute, for good (ARBITRATOR, GOVERNANCE): nothing is uploaded to it any more, and arbitrators no longer read
/// its evidence.
#[utoipa::path(
    post, path = "/v1/disputes/{disputeId}/close", tag = "disputes", request_body = CloseBody,
    params(("disputeId" = String, Path)),
    responses((status = 200, body = DisputeView), (status = 409, description = "`DISPUTE_CLOSED`")))]
async fn close(
    (disputes, rights): Parts,
    Caller(who): Caller,
    id: PathOf<DisputeId>,
    body: Later<Body<CloseBody>>,
) -> Answer {
    let body = body.after(rights.dispute::<action::CloseDispute>(&who, id.0)).await?;
    let closed = disputes.close(&who, id.0, &body.outcome).await?;
    Ok(HttpResponse::Ok().json(DisputeView::from(closed)))
}
