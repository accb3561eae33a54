//! What is not right is refused with a stable code and the field, and changes nothing.

use serde_json::{Value, json};

use crate::harness::{Plane, gtin};

#[tokio::test(flavor = "multi_thread")]
async fn bad_bodies_of_the_operator_name_code_and_field() {
    let plane = Plane::start().await;
    let tenant = plane.tenant().await;
    let long = "x".repeat(201);
    let tenants = "/api/admin/tenants";
    let users = "/api/admin/users";
    for (path, body, code, field) in [
        (tenants, json!({ "id": "Acme", "name": "A" }), "TENANT_ID_INVALID", "id"),
        (tenants, json!({ "id": "ab", "name": "A" }), "TENANT_ID_INVALID", "id"),
        (tenants, json!({ "id": "acme", "name": "" }), "TEXT_LENGTH", "name"),
        (tenants, json!({ "id": "acme", "name": long }), "TEXT_LENGTH", "name"),
        (tenants, json!({ "id": "acme", "name": "a\u{0}b" }), "TEXT_CHARACTER", "name"),
        (tenants, json!({ "id": "acme" }), "INVALID_BODY", "name"),
        (tenants, json!({ "id": "acme", "name": 7 }), "INVALID_BODY", "name"),
        (tenants, json!({ "id": "acme", "name": "A", "tier": "gold" }), "INVALID_BODY", "tier"),
        (tenants, json!({ "id": "acme", "name": "A", "admin": true }), "INVALID_BODY", "admin"),
        (users, json!({ "tenantId": tenant, "email": "ada", "name": "A" }), "EMAIL_INVALID", "email"),
        (
            users,
            json!({ "tenantId": tenant, "email": "a@b", "name": "A", "tenantAdmin": "yes" }),
            "INVALID_BODY",
            "tenantAdmin",
        ),
        ("/api/admin/sessions", json!({ "userId": "usr_nonsense" }), "INVALID_BODY", "userId"),
        (
            "/api/admin/sessions",
            json!({ "userId": "brd_01h45ytscbebyvny4gc8cr8ma2" }),
            "INVALID_BODY",
            "userId",
        ),
    ] {
        let reply = plane.admin("POST", path, body.clone()).await;
        assert_eq!(reply.problem(400), code, "{body}");
        assert_eq!(reply.body["field"], field, "{body}");
    }
    plane.admin("GET", "/api/admin/tenants/acme", Value::Null).await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_products_name_code_and_field() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let product = |gtin: &str, name: &str, to: &str| json!({ "brandId": shop.brand, "gtin": gtin, "name": name, "destinationTemplate": to });
    let (good, to) = (gtin(), "https://brand.example/");
    for (body, code, field) in [
        (product("09506000134353", "P", to), "GTIN_CHECK_DIGIT", "gtin"),
        (product("123", "P", to), "GTIN_INVALID", "gtin"),
        (product("0950600013435A", "P", to), "GTIN_INVALID", "gtin"),
        (product(&good, "", to), "TEXT_LENGTH", "name"),
        (product(&good, "P", "javascript:alert(1)"), "DESTINATION_INVALID", "destinationTemplate"),
        (product(&good, "P", "https://brand.example/{code}"), "DESTINATION_INVALID", "destinationTemplate"),
        (product(&good, "P", "https://{gtin}.example/"), "DESTINATION_INVALID", "destinationTemplate"),
    ] {
        let reply = plane.as_person(&shop.owner, "POST", "/v1/products", body.clone()).await;
        assert_eq!(reply.problem(400), code, "{body}");
        assert_eq!(reply.body["field"], field, "{body}");
    }
    let detail =
        plane.as_person(&shop.owner, "POST", "/v1/products", product("09506000134353", "P", to)).await;
    assert!(detail.body["detail"].as_str().unwrap().contains("would be 2"), "{}", detail.body["detail"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_orders_name_code_and_field() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let order = |units: Value, mode: &str| json!({ "productId": shop.product, "units": units, "mode": mode });
    for (body, status, code, field) in [
        (order(json!(0), "static"), 400, "UNITS_OUT_OF_RANGE", "units"),
        (order(json!(-1), "static"), 400, "UNITS_OUT_OF_RANGE", "units"),
        (order(json!(10_000_001), "static"), 400, "UNITS_OUT_OF_RANGE", "units"),
        (order(json!(1.5), "static"), 400, "INVALID_BODY", "units"),
        (order(json!("1"), "static"), 400, "INVALID_BODY", "units"),
        (order(json!(1e30), "static"), 400, "INVALID_BODY", "units"),
        (order(json!(1), "second_scan"), 422, "MODE_NOT_SUPPORTED", "mode"),
        (order(json!(1), ""), 422, "MODE_NOT_SUPPORTED", "mode"),
    ] {
        let reply = plane.order(&shop.owner, &shop.brand, "key", &body).await;
        assert_eq!(reply.problem(status), code, "{body}");
        assert_eq!(reply.body["field"], field, "{body}");
    }
    let reply = plane.order(&shop.owner, &shop.brand, "key", &order(json!(1), "magic")).await;
    assert_eq!(reply.body["supportedModes"], json!(["static", "first_scan", "confirmed_scan"]));
}

/// Whoever cannot look into our code learns from the answer what would have been right.
#[tokio::test(flavor = "multi_thread")]
async fn refused_values_say_what_would_do() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let tier = json!({ "id": "acme", "name": "A", "tier": "gold" });
    let key = json!({ "name": "Report", "scopes": ["admin:read", "admin:all"] });
    let units = json!({ "productId": shop.product, "units": 1.5, "mode": "static" });
    let scans = format!("/v1/brands/{}/scans?from=2026-13-01", shop.brand);
    for (reply, field, words) in [
        (plane.admin("POST", "/api/admin/tenants", tier).await, "tier", "free pro enterprise"),
        (plane.as_person(&shop.owner, "POST", "/v1/api-keys", key).await, "scopes[1]", "exports:read"),
        (plane.order(&shop.owner, &shop.brand, "key", &units).await, "units", "a whole number"),
        (plane.as_person(&shop.owner, "GET", &scans, Value::Null).await, "from", "a day as 2026-11-23"),
    ] {
        assert_eq!(reply.body["field"], field, "{}", reply.body);
        let detail = reply.body["detail"].as_str().unwrap();
        assert!(
            detail.contains(words) && !detail.contains("i64") && !detail.contains("admin:all"),
            "{detail}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_the_wrong_form_get_the_status_that_rfc_9110_means() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let session = Some(shop.owner.session.as_str());
    let url = format!("{}/v1/brands", plane.base);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = || client.post(&url).bearer_auth(&shop.owner.session);
    let json = ("content-type", "application/json");
    for (request, status, code) in [
        (post().body("{}"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (post().header("content-type", "text/plain").body("{}"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (post().header(json.0, json.1).body("{"), 400, "INVALID_JSON"),
        (post().header(json.0, json.1).body(""), 400, "INVALID_JSON"),
        (post().header(json.0, json.1).body(format!("\"{}\"", "x".repeat(70_000))), 413, "BODY_TOO_LARGE"),
    ] {
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status().as_u16(), status, "{code}");
        assert_eq!(reply.json::<Value>().await.unwrap()["code"], code);
    }
    for (method, path, status, code) in [
        ("DELETE", "/v1/brands", 405, "METHOD_NOT_ALLOWED"),
        ("PUT", "/api/admin/tenants", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/v1/nothing", 404, "NOT_FOUND"),
        ("GET", "/", 404, "NOT_FOUND"),
        ("GET", "/v1/brands/nonsense", 404, "NOT_FOUND"),
        ("GET", "/v1/brands/brd_01h45ytscbebyvny4gc8cr8ma2", 404, "NOT_FOUND"),
        ("GET", "/v1/batches/brd_01h45ytscbebyvny4gc8cr8ma2", 404, "NOT_FOUND"),
        ("GET", "/v1/products", 400, "INVALID_QUERY"),
        ("GET", "/v1/products?brandId=nonsense", 400, "INVALID_QUERY"),
        ("GET", "/v1/brands?limit=0", 400, "INVALID_QUERY"),
        ("GET", "/v1/brands?limit=201", 400, "INVALID_QUERY"),
        ("GET", "/v1/brands?limit=many", 400, "INVALID_QUERY"),
        ("GET", "/v1/brands?cursor=nonsense", 400, "INVALID_CURSOR"),
    ] {
        let reply = plane.send(method, path, session, &[], None).await;
        assert_eq!(reply.problem(status), code, "{method} {path}");
        assert_eq!(reply.body["requestId"].as_str(), reply.header("x-request-id"), "{method} {path}");
    }
}
