//! `/objects/{path}`: the files of the local store, for whoever holds a signed URL.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue,
};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use mintmark_fault::Fault;
use mintmark_web::{Access, Answer, Route};
use serde::Deserialize;
use utoipa::OpenApi;

use crate::app::exports::Exports;

/// The part of the OpenAPI document about files.
#[derive(OpenApi)]
#[openapi(paths(fetch))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/objects/{path:.*}", Access::Signed, fetch)]
}

/// What a signed URL carries. Whatever is missing or unreadable makes the signature invalid, which is all that a
/// stranger learns.
#[derive(Default, Deserialize)]
struct Proof {
    #[serde(default)]
    expires: i64,
    #[serde(default)]
    name: String,
    #[serde(default)]
    signature: String,
}

/// Fetches a file by a URL that a download gave out.
#[utoipa::path(
    get, path = "/objects/{path}", tag = "exports",
    params(("path" = String, Path), ("expires" = i64, Query), ("name" = String, Query), ("signature" = String, Query)),
    responses((status = 200, description = "The file", content_type = "application/octet-stream")))]
async fn fetch(exports: web::Data<Exports>, http: HttpRequest) -> Answer {
    let store = exports.store();
    let signer = store.signer().ok_or_else(|| Fault::not_found("object"))?;
    let path = http.match_info().query("path");
    let proof =
        web::Query::<Proof>::from_query(http.query_string()).map(web::Query::into_inner).unwrap_or_default();
    signer.verify(http.method().as_str(), path, proof.expires, &proof.name, &proof.signature, Utc::now())?;
    let object = store.stream(path).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, content_type(path)));
    // The name was signed, so it is one of ours: letters, digits, '.', '_' and '-'.
    response.insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", proof.name)));
    response.insert_header((CACHE_CONTROL, HeaderValue::from_static("private, no-store")));
    // What is compressed already stays as it is, and its length can be told.
    response.insert_header((CONTENT_ENCODING, HeaderValue::from_static("identity")));
    response.no_chunking(object.meta.bytes);
    Ok(response.streaming(object.bytes))
}

fn content_type(path: &str) -> HeaderValue {
    HeaderValue::from_static(match path.rsplit_once('.') {
        Some((_, "zip")) => "application/zip",
        Some((_, "json")) => "application/json",
        _ => "application/octet-stream",
    })
}
