//! `/.well-known/jwks.json`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use mintmark_web::{Access, Answer, Limit, Route};
use utoipa::OpenApi;

use crate::keys::Keys;

/// The part of the OpenAPI document about public documents.
#[derive(OpenApi)]
#[openapi(paths(jwks))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    // Whoever verifies our tokens needs it, from wherever and however often.
    vec![Route::get("/.well-known/jwks.json", Access::Public, jwks).limit(Limit::Exempt)]
}

/// The public keys whose tokens are accepted: sessions', and those of this service's tokens for others. During a rotation
/// each has two.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "public",
    responses((status = 200, body = Object, description = "A JSON Web Key Set (RFC 7517)")))]
async fn jwks(keys: web::Data<Keys>) -> Answer {
    // Five minutes: let a new key stand second in its file for that long before it signs.
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "public, max-age=300")).json(keys.published()))
}
