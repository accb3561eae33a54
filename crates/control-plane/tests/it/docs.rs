//! The documents that anybody may read.

use std::collections::BTreeSet;

use mintmark_control_plane::http::{openapi, routes};
use serde_json::Value;

use crate::harness::Plane;

#[test]
fn openapi_document_and_route_table_agree() {
    let differences = mintmark_web::openapi::missing(&routes(), &openapi::document());
    assert!(differences.is_empty(), "{differences:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_served_describes_every_parameter_and_resolves_every_reference() {
    let plane = Plane::start().await;
    let document = plane.send("GET", "/openapi.json", None, &[], None).await.expect(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let described: Vec<&str> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            let wanted: Vec<&str> =
                path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            assert_eq!(described, wanted, "{method} {path}");
            assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("default"));
            assert!(responses.values().all(|r| r["description"].is_string()), "{method} {path}");
        }
    }
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn docs_page_loads_with_its_files_and_points_at_the_document() {
    let plane = Plane::start().await;
    let page = plane.send("GET", "/docs/", None, &[], None).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html")));
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"));
    assert!(page.body.as_str().unwrap().contains("swagger-ui"));
    let followed = plane.send("GET", "/docs", None, &[], None).await;
    assert_eq!(followed.body, page.body, "the redirect leads to the page");
    let start = plane.send("GET", "/docs/swagger-initializer.js", None, &[], None).await;
    assert!(start.body.as_str().unwrap().contains("/openapi.json"));
    assert_eq!(plane.send("GET", "/docs/../Cargo.toml", None, &[], None).await.status, 404);
    assert_eq!(plane.send("GET", "/docs/nothing.js", None, &[], None).await.problem(404), "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn jwks_publishes_the_public_keys_of_sessions_and_service_tokens() {
    let plane = Plane::start().await;
    let reply = plane.send("GET", "/.well-known/jwks.json", None, &[], None).await;
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    let keys = reply.expect(200)["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 2);
    for key in &keys {
        assert_eq!((&key["kty"], &key["crv"], key.get("d")), (&"OKP".into(), &"Ed25519".into(), None));
    }
    assert_ne!(keys[0]["kid"], keys[1]["kid"]);
}
