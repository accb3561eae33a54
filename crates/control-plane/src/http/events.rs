//! `/v1/batches/{batchId}/events`.

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use mintmark_auth::{Actor, action};
use mintmark_ids::{BatchId, EventId};
use mintmark_web::{Access, Answer, Caller, Later, List, Page, PathOf, Route};
use serde::Serialize;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::paging::{self, PageParams};
use crate::app::events::Events;
use crate::app::rights::Rights;
use crate::store::events::Event;

/// The part of the OpenAPI document about histories.
#[derive(OpenApi)]
#[openapi(paths(list))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/v1/batches/{batchId}/events", Access::Session, list)]
}

/// Something that happened to a batch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    #[schema(value_type = String, example = "evt_01h45ytscbebyvny4gc8cr8ma2")]
    id: EventId,
    at: DateTime<Utc>,
    /// `user:usr_…` or `service:…`.
    #[schema(value_type = String)]
    actor: Actor,
    /// `batch.created`, `batch.minting`, `batch.sealed`, `batch.failed`, `batch.serials_moved`, `batch.cancel_requested`, `batch.cancelled`,
    /// `batch.revoked`, `batch.codes_revoked`, `batch.secret_destroyed`, `code.revealed`, `export.created` …
    #[schema(example = "batch.sealed")]
    kind: String,
    #[schema(value_type = Object)]
    detail: Value,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        EventView { id: event.id, at: event.at, actor: event.actor, kind: event.kind, detail: event.detail }
    }
}

/// Shows what happened to a batch, newest first (members).
#[utoipa::path(
    get, path = "/v1/batches/{batchId}/events", tag = "batches",
    params(("batchId" = String, Path), PageParams),
    responses((status = 200, body = List<EventView>)))]
async fn list(
    (events, rights): (web::Data<Events>, web::Data<Rights>),
    Caller(who): Caller,
    batch: PathOf<BatchId>,
    page: Later<Page>,
) -> Answer {
    let page = page.after(rights.batch::<action::ViewBatch>(&who, batch.0)).await?;
    let slice = events.list(&who, batch.0, paging::window(&page)).await?;
    Ok(HttpResponse::Ok().json(paging::list(slice, EventView::from)))
}
