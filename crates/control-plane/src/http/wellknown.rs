//! `/.well-known/jwks.json`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use mintmark_auth::Jwks;
use mintmark_web::{Access, Answer, Route};
use utoipa::OpenApi;

/// The part of the OpenAPI document about public documents.
#[derive(OpenApi)]
#[openapi(paths(jwks))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/.well-known/jwks.json", Access::Public, jwks)]
}

/// The public keys that this service signs with: sessions, and its tokens for other services.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "public",
    responses((status = 200, body = Object, description = "A JSON Web Key Set (RFC 7517)")))]
async fn jwks(keys: web::Data<Jwks>) -> Answer {
    // Five minutes: a new key is published that long before anything is signed with it.
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "public, max-age=300")).json(keys.get_ref()))
}
