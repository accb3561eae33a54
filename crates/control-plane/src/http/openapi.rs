//! The OpenAPI document, and a page to read it.

use std::sync::{Arc, LazyLock};

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION,
};
use actix_web::{HttpResponse, web};
use mintmark_fault::Fault;
use mintmark_web::{Access, Answer, PathOf, Route};
use utoipa::OpenApi;
use utoipa::openapi::{OpenApi as OpenApiDocument, RefOr};
use utoipa_swagger_ui::Config;

use super::{
    admin, api_keys, audit_exports, batches, brands, disputes, events, evidence, evidence_admin, exports,
    memberships, objects, operations, preflight_sync, preflight_tokens, presentation, products, scans,
    sessions, tenants, tokens, users, wellknown,
};

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/docs", Access::Public, to_page), Route::get("/docs/{file:.*}", Access::Public, page)]
}

/// What the handlers say of themselves; the edge completes it from the table of routes and serves it.
pub fn document() -> OpenApiDocument {
    let parts = [
        ("tenants", tenants::Doc::openapi()),
        ("users", users::Doc::openapi()),
        ("memberships", memberships::Doc::openapi()),
        ("sessions", sessions::Doc::openapi()),
        ("brands", brands::Doc::openapi()),
        ("api-keys", api_keys::Doc::openapi()),
        ("administration", admin::Doc::openapi()),
        ("audit-exports", audit_exports::Doc::openapi()),
        ("preflight-tokens", preflight_tokens::Doc::openapi()),
        ("preflight-sync", preflight_sync::Doc::openapi()),
        ("products", products::Doc::openapi()),
        ("presentation", presentation::Doc::openapi()),
        ("batches", batches::Doc::openapi()),
        ("operations", operations::Doc::openapi()),
        ("tokens", tokens::Doc::openapi()),
        ("events", events::Doc::openapi()),
        ("disputes", disputes::Doc::openapi()),
        ("evidence", evidence::Doc::openapi()),
        ("evidence-administration", evidence_admin::Doc::openapi()),
        ("scans", scans::Doc::openapi()),
        ("exports", exports::Doc::openapi()),
        ("objects", objects::Doc::openapi()),
        ("wellknown", wellknown::Doc::openapi()),
    ];
    let mut whole = named("docs", Doc::openapi());
    for (area, part) in parts {
        whole.merge(named(area, part));
    }
    whole
}

/// Handlers are called `create` or `list` in every file, and a document wants each name once: `tenants.create`. It wants
/// words for each response too; where the handler has none, those of the status do.
fn named(area: &str, mut part: OpenApiDocument) -> OpenApiDocument {
    for item in part.paths.paths.values_mut() {
        let all = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in all.into_iter().flatten() {
            operation.operation_id = operation.operation_id.take().map(|id| format!("{area}.{id}"));
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response
                    && response.description.is_empty()
                {
                    let known = StatusCode::from_bytes(status.as_bytes()).ok();
                    let words = known.and_then(|status| status.canonical_reason());
                    response.description = words.unwrap_or("as described").to_owned();
                }
            }
        }
    }
    part
}

#[derive(OpenApi)]
#[openapi(
    paths(to_page, page),
    info(
        title = "Mintmark control plane",
        description = "Tenants, brands, products, batches, exports, API keys, disputes with their evidence, and the audit. \
                       `/api/admin` takes the control token and nothing else; `/v1` takes a person's session, and \
                       `/v1/admin` an API key too, with the scope that the operation names. Every request counts: answers \
                       say what is left (`RateLimit`), and 429 and 503 when to come back (`Retry-After`). Errors are \
                       problem documents (RFC 9457) with a stable `code`. Lists page with `limit` and `cursor`."
    )
)]
struct Doc;

/// Leads to the page, whose files lie beside it.
#[utoipa::path(get, path = "/docs", tag = "public", responses((status = 308, description = "To `/docs/`")))]
async fn to_page() -> Answer {
    Ok(HttpResponse::PermanentRedirect().insert_header((LOCATION, "/docs/")).finish())
}

/// A page to read this document (Swagger UI).
#[utoipa::path(
    get, path = "/docs/{file}", tag = "public", params(("file" = String, Path, description = "empty for the page itself")),
    responses((status = 200, description = "The page, or a file that it loads")))]
async fn page(file: PathOf<String>) -> Answer {
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| Arc::new(Config::from("/openapi.json")));
    // Swagger UI brings its scripts and styles along; it may load them and ask this service, and nothing else.
    const POLICY: HeaderValue = HeaderValue::from_static(
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    );
    let served = utoipa_swagger_ui::serve(&file.0, CONFIG.clone())
        .map_err(|error| Fault::internal(error.to_string()))?
        .ok_or_else(|| Fault::not_found("page"))?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_SECURITY_POLICY, POLICY));
    response.insert_header((CONTENT_TYPE, served.content_type));
    if served.gzpipped {
        response.insert_header((CONTENT_ENCODING, "gzip"));
    }
    Ok(response.body(web::Bytes::from(served.bytes.into_owned())))
}
