//! `Idempotency-Key` on the wire.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, LOCATION};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::idempotency::Answer;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
static IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The raw key. Several of them are joined as RFC 9110 joins a list, which no key can look like.
pub fn key(request: &HttpRequest) -> Option<Vec<u8>> {
    let all: Vec<&[u8]> = request.headers().get_all(&IDEMPOTENCY_KEY).map(HeaderValue::as_bytes).collect();
    (!all.is_empty()).then(|| all.join(&b", "[..]))
}

/// The answer with `Location: {collection}/{id}`; a recorded one says so by `Idempotent-Replayed: true`.
pub fn respond(answer: &Answer, collection: &str) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    if let Some(id) = answer.body.get("id").and_then(|id| id.as_str()) {
        response.insert_header((LOCATION, format!("{collection}/{id}")));
    }
    if answer.replayed {
        response.insert_header((IDEMPOTENT_REPLAYED.clone(), HeaderValue::from_static("true")));
    }
    response.json(&answer.body)
}
