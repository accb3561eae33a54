//! `/v1/batches/{batchId}/tokens`.

use actix_web::{HttpResponse, web};
use mintmark_ids::BatchId;
use mintmark_web::{Access, Answer, Caller, Cursor, List, Page, PathOf, Route};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::paging::PageParams;
use crate::app::tokens::{Token, Tokens};

/// The part of the OpenAPI document about units.
#[derive(OpenApi)]
#[openapi(paths(list))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/v1/batches/{batchId}/tokens", Access::Session, list)]
}

/// One unit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenView {
    serial: u64,
    /// All but the first two and last four characters hidden.
    #[schema(example = "AB••-••••-••••-••••-WXYZ")]
    masked_code: String,
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        TokenView { serial: token.serial, masked_code: token.masked_code }
    }
}

/// Lists a batch's units with masked codes (members); empty until the directory has accepted the batch.
#[utoipa::path(
    get, path = "/v1/batches/{batchId}/tokens", tag = "batches",
    params(("batchId" = String, Path), PageParams),
    responses((status = 200, body = List<TokenView>)))]
async fn list(
    tokens: web::Data<Tokens>,
    Caller(who): Caller,
    batch: PathOf<BatchId>,
    page: Page<u64>,
) -> Answer {
    let slice = tokens.list(&who, batch.0, page.limit, page.cursor).await?;
    let next_cursor = slice.next.map(|serial| Cursor::encode(&serial));
    let items: Vec<TokenView> = slice.items.into_iter().map(TokenView::from).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor }))
}
