//! The usual good answers.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;

/// A JSON answer with any status.
pub fn json(status: StatusCode, view: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status).json(view)
}

/// 200 with a JSON body.
pub fn ok(view: &impl Serialize) -> HttpResponse {
    json(StatusCode::OK, view)
}

/// 201: it exists now.
pub fn created(view: &impl Serialize) -> HttpResponse {
    json(StatusCode::CREATED, view)
}

/// 202: it will be done.
pub fn accepted(view: &impl Serialize) -> HttpResponse {
    json(StatusCode::ACCEPTED, view)
}

/// 204: done, and there is nothing to show.
#[must_use]
pub fn no_content() -> HttpResponse {
    HttpResponse::NoContent().finish()
}
