//! The OpenAPI document.

use actix_web::http::StatusCode;
use utoipa::OpenApi;
use utoipa::openapi::{OpenApi as OpenApiDocument, RefOr};

use super::{jobs, policies, results, schemas, v2};

/// What the handlers say of themselves; the edge completes it from the table of routes and serves it.
#[must_use]
pub fn document() -> OpenApiDocument {
    let parts = [
        ("jobs", jobs::Doc::openapi()),
        ("results", results::Doc::openapi()),
        ("policies", policies::Doc::openapi()),
        ("v2", v2::Doc::openapi()),
        ("schemas", schemas::Doc::openapi()),
    ];
    let mut whole = Doc::openapi();
    for (area, part) in parts {
        whole.merge(named(area, part));
    }
    whole
}

/// Handlers are called `create` or `list` in every file, and a document wants each name once: `jobs.create`. It wants words
/// for each response too; where the handler has none, those of the status do.
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
#[openapi(info(
    title = "Mintmark preflight gateway",
    description = "Jobs, reports and policies of preflight. Every path takes a PREFLIGHT_JWT and nothing else, but for \
                       the published schemas. `X-Tenant-Id`, where it is sent, is the tenant of the token. Errors are \
                       problem documents (RFC 9457) with a stable `code`."
))]
struct Doc;
