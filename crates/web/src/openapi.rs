//! The OpenAPI document and the route table say the same.

use std::collections::BTreeSet;

use actix_web::http::Method;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Components, ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use crate::{Access, ProblemDocument, Route};

/// Name of the security scheme of `Access::ControlToken`.
const CONTROL_TOKEN: &str = "controlToken";
/// Name of the security scheme of `Access::Session`.
const SESSION: &str = "session";
/// Name of the security scheme of `Access::Preflight`.
const PREFLIGHT: &str = "preflightJwt";

/// Name of the security scheme of a key in `X-API-Key`.
const API_KEY: &str = "apiKey";

/// Completes a document from the table: the security of each operation from its row's access, a problem document for every
/// answer that is not described, and the schemas and schemes that these name.
#[must_use]
pub fn complete(mut document: OpenApi, routes: &[Route]) -> OpenApi {
    for route in routes {
        let item = document.paths.paths.get_mut(route.template());
        if let Some(operation) = item.and_then(|item| operation(item, route.method())) {
            operation.security = Some(security(route.access()));
            let responses = &mut operation.responses.responses;
            responses.entry("default".to_owned()).or_insert_with(|| RefOr::T(problem_response()));
        }
    }
    let components = document.components.get_or_insert_with(Components::default);
    components.schemas.insert(ProblemDocument::name().into_owned(), ProblemDocument::schema());
    let about = "the platform's control token; accepted by the control plane alone";
    components.add_security_scheme(CONTROL_TOKEN, bearer("opaque", about));
    components.add_security_scheme(SESSION, bearer("JWT", "a person's session"));
    let preflight = "a PREFLIGHT_JWT of the control plane: audience `ppos:control`, five minutes";
    components.add_security_scheme(PREFLIGHT, bearer("JWT", preflight));
    let in_header = ApiKeyValue::with_description("X-API-Key", "an API key; as a bearer it is taken too");
    components.add_security_scheme(API_KEY, SecurityScheme::ApiKey(ApiKey::Header(in_header)));
    document
}

/// Every row that the document does not describe, and every operation that the table does not have; one line each, empty
/// when the two agree. `/openapi.json` itself need not be described.
#[must_use]
pub fn missing(routes: &[Route], document: &OpenApi) -> Vec<String> {
    let served = |route: &&Route| route.template() != "/openapi.json";
    let in_table: BTreeSet<String> =
        routes.iter().filter(served).map(|route| line(route.method().as_str(), route.template())).collect();
    let described: BTreeSet<String> = document
        .paths
        .paths
        .iter()
        .flat_map(|(path, item)| methods(item).into_iter().map(move |method| line(method, path)))
        .collect();
    let undescribed = in_table.difference(&described).map(|line| format!("{line} is not in the document"));
    let unserved = described.difference(&in_table).map(|line| format!("{line} is not in the table"));
    undescribed.chain(unserved).collect()
}

fn line(method: &str, path: &str) -> String {
    format!("{method} {path}")
}

fn operation<'a>(item: &'a mut PathItem, method: &Method) -> Option<&'a mut Operation> {
    match method.as_str() {
        "GET" => item.get.as_mut(),
        "POST" => item.post.as_mut(),
        "PUT" => item.put.as_mut(),
        "PATCH" => item.patch.as_mut(),
        "DELETE" => item.delete.as_mut(),
        "HEAD" => item.head.as_mut(),
        _ => None,
    }
}

fn methods(item: &PathItem) -> Vec<&'static str> {
    let all = [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
        ("HEAD", &item.head),
        ("OPTIONS", &item.options),
        ("TRACE", &item.trace),
    ];
    all.into_iter().filter(|(_, operation)| operation.is_some()).map(|(method, _)| method).collect()
}

fn security(access: Access) -> Vec<SecurityRequirement> {
    let none: [String; 0] = [];
    match access {
        // An empty list and not an absent one: public on purpose.
        Access::Public | Access::Signed => Vec::new(),
        Access::ControlToken => vec![SecurityRequirement::new(CONTROL_TOKEN, none)],
        Access::Session => vec![SecurityRequirement::new(SESSION, none)],
        Access::Preflight => vec![SecurityRequirement::new(PREFLIGHT, none)],
        Access::SessionOrKey => {
            vec![SecurityRequirement::new(SESSION, none.clone()), SecurityRequirement::new(API_KEY, none)]
        }
    }
}

fn bearer(format: &str, about: &str) -> SecurityScheme {
    let mut scheme = Http::new(HttpAuthScheme::Bearer);
    scheme.bearer_format = Some(format.to_owned());
    scheme.description = Some(about.to_owned());
    SecurityScheme::Http(scheme)
}

fn problem_response() -> utoipa::openapi::Response {
    let schema = Ref::from_schema_name(ProblemDocument::name());
    ResponseBuilder::new()
        .description("a problem: see code and detail")
        .content("application/problem+json", ContentBuilder::new().schema(Some(schema)).build())
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::HttpResponse;
    use utoipa::openapi::path::{HttpMethod, OperationBuilder};
    use utoipa::openapi::{Info, PathsBuilder};

    async fn nothing() -> HttpResponse {
        HttpResponse::Ok().finish()
    }

    fn document() -> OpenApi {
        let operation = || OperationBuilder::new().build();
        let mut item = PathItem::new(HttpMethod::Get, operation());
        item.post = Some(operation());
        let paths = PathsBuilder::new()
            .path("/v1/things/{id}", item)
            .path("/files/{path}", PathItem::new(HttpMethod::Get, operation()))
            .build();
        OpenApi::new(Info::new("things", "1"), paths)
    }

    #[test]
    fn missing_names_differences_both_ways() {
        let routes = [
            Route::get("/v1/things/{id}", Access::Session, nothing),
            Route::delete("/v1/things/{id}", Access::Session, nothing),
            Route::get("/files/{path:.*}", Access::Signed, nothing),
            Route::get("/openapi.json", Access::Public, nothing),
        ];
        assert_eq!(
            missing(&routes, &document()),
            ["DELETE /v1/things/{id} is not in the document", "POST /v1/things/{id} is not in the table"]
        );
    }

    #[test]
    fn complete_takes_security_from_the_table() {
        let routes = [
            Route::get("/v1/things/{id}", Access::Session, nothing),
            Route::post("/v1/things/{id}", Access::ControlToken, nothing),
            Route::get("/files/{path:.*}", Access::Signed, nothing),
        ];
        let json = serde_json::to_value(complete(document(), &routes)).unwrap();
        let things = &json["paths"]["/v1/things/{id}"];
        assert_eq!(things["get"]["security"], serde_json::json!([{"session": []}]));
        assert_eq!(things["post"]["security"], serde_json::json!([{"controlToken": []}]));
        assert_eq!(json["paths"]["/files/{path}"]["get"]["security"], serde_json::json!([]));
        let problem =
            &things["get"]["responses"]["default"]["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(*problem, "#/components/schemas/Problem");
        assert_eq!(json["components"]["schemas"]["Problem"]["properties"]["status"]["type"], "integer");
        assert_eq!(json["components"]["securitySchemes"]["session"]["scheme"], "bearer");
    }
}
