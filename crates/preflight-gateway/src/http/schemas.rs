//! `/api/preflight/schemas`: the schemas of what is served as JSON, for anybody.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use mintmark_fault::Fault;
use mintmark_web::{Access, Answer, PathOf, Route};
use utoipa::OpenApi;

use crate::app::ruleset;

/// The part of the OpenAPI document about schemas.
#[derive(OpenApi)]
#[openapi(paths(find))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/api/preflight/schemas/{schema}", Access::Public, find)]
}

/// The JSON schema of `facts`, `report` or `policy`.
#[utoipa::path(
    get, path = "/api/preflight/schemas/{schema}", tag = "schemas",
    params(("schema" = String, Path, description = "`facts`, `report` or `policy`")),
    responses((status = 200, content_type = "application/schema+json", description = "The schema"), (status = 404)))]
async fn find(schema: PathOf<String>) -> Answer {
    let schema = ruleset::schema(&schema).ok_or_else(|| Fault::not_found("schema"))?;
    Ok(HttpResponse::Ok()
        .content_type("application/schema+json")
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .body(schema))
}
