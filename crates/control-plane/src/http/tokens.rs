//! `/v1/batches/{batchId}/tokens` and `…/tokens/{serial}/reveal`.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpResponse, web};
use mintmark_auth::action;
use mintmark_ids::BatchId;
use mintmark_web::{Access, Answer, Caller, Cursor, Later, List, Page, PathOf, Route};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::paging::PageParams;
use crate::app::rights::Rights;
use crate::app::tokens::{Revealed, Token, Tokens};

/// The part of the OpenAPI document about units.
#[derive(OpenApi)]
#[openapi(paths(list, reveal))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/batches/{batchId}/tokens", Access::Session, list),
        Route::post("/v1/batches/{batchId}/tokens/{serial}/reveal", Access::Session, reveal),
    ]
}

/// One unit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenView {
    serial: u64,
    /// All but the first two and last four characters hidden; null once the batch's secret is destroyed.
    #[schema(example = "AB••-••••-••••-••••-WXYZ")]
    masked_code: Option<String>,
}

/// One unit with its whole code.
#[derive(Serialize, ToSchema)]
pub struct RevealedView {
    serial: u64,
    /// 20 characters.
    code: String,
    /// The code in groups of four, as people read it.
    grouped: String,
    /// What the unit's symbol says.
    #[schema(example = "https://id.example/01/09506000134352/21/ABCDEFGHJKMNPQRSTVWX")]
    uri: String,
}

impl From<Revealed> for RevealedView {
    fn from(unit: Revealed) -> Self {
        RevealedView {
            serial: unit.serial,
            code: unit.code.as_str().to_owned(),
            grouped: unit.code.grouped(),
            uri: unit.uri,
        }
    }
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
    (tokens, rights): (web::Data<Tokens>, web::Data<Rights>),
    Caller(who): Caller,
    batch: PathOf<BatchId>,
    page: Later<Page<u64>>,
) -> Answer {
    let page = page.after(rights.batch::<action::ViewBatch>(&who, batch.0)).await?;
    let slice = tokens.list(&who, batch.0, page.limit, page.cursor).await?;
    let next_cursor = slice.next.map(|serial| Cursor::encode(&serial));
    let items: Vec<TokenView> = slice.items.into_iter().map(TokenView::from).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor }))
}

/// Shows the whole code of one unit of a published batch (members); noted in the batch's history and the audit.
#[utoipa::path(
    post, path = "/v1/batches/{batchId}/tokens/{serial}/reveal", tag = "batches",
    params(("batchId" = String, Path), ("serial" = u64, Path)),
    responses((status = 200, body = RevealedView)))]
async fn reveal(tokens: web::Data<Tokens>, Caller(who): Caller, unit: PathOf<(BatchId, u64)>) -> Answer {
    let (batch, serial) = unit.0;
    let revealed = tokens.reveal(&who, batch, serial).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, HeaderValue::from_static("private, no-store")));
    Ok(response.json(RevealedView::from(revealed)))
}
