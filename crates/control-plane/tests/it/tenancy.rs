//! Another tenant's things are not there, whoever asks and however.

use mintmark_control_plane::http::routes;
use mintmark_web::Access;
use serde_json::{Value, json};

use crate::harness::{Plane, gtin, text};

#[tokio::test(flavor = "multi_thread")]
async fn every_route_that_names_a_thing_is_404_for_another_tenant() {
    let plane = Plane::start().await;
    let (shop, stranger) = (plane.shop().await, plane.shop().await);
    let batch = text(&plane.batch(&shop.owner, &shop.brand, &shop.product, 3).await, "id").to_owned();
    plane.sql("UPDATE batch SET state = 'sealed', sealed_at = now(), partition_id = 7").await;
    let exports = format!("/v1/batches/{batch}/exports");
    let export = plane.as_person(&shop.owner, "POST", &exports, json!({})).await.expect(202);

    let mut seen = 0;
    for route in routes().iter().filter(|route| route.access() == Access::Session) {
        let template = route.template();
        let path = template
            .replace("{brandId}", &shop.brand)
            .replace("{productId}", &shop.product)
            .replace("{batchId}", &batch)
            .replace("{serial}", "1")
            .replace("{exportId}", text(&export, "id"));
        if path == template {
            continue;
        }
        assert!(!path.contains('{'), "{template} has a parameter that this test does not know");
        let body = match (route.method().as_str(), template) {
            ("POST", "/v1/brands/{brandId}/batches") => {
                json!({ "productId": shop.product, "units": 1, "mode": "static" })
            }
            ("POST", "/v1/batches/{batchId}/revoke") => json!({ "reason": "mine" }),
            ("POST", "/v1/batches/{batchId}/codes/revoke") => {
                json!({ "codes": ["P5EFA11P6MBB22HP81V1"], "reason": "mine" })
            }
            ("POST", "/v1/batches/{batchId}/secret/destroy") => json!({ "confirm": batch }),
            ("POST" | "PATCH", _) => json!({}),
            ("PUT", _) => json!({ "primaryColour": "#112233" }),
            _ => Value::Null,
        };
        let body = (!body.is_null()).then_some(&body);
        let image = template.ends_with("/logo") || template.ends_with("/picture");
        let kind = if image { "image/png" } else { "application/json" };
        let headers = [("Idempotency-Key", "key"), ("Content-Type", kind)];
        let token = Some(stranger.owner.session.as_str());
        let reply = plane.send(route.method().as_str(), &path, token, &headers, body).await;
        assert_eq!(reply.problem(404), "NOT_FOUND", "{route:?}");
        seen += 1;
    }
    assert!(seen >= 12, "only {seen} routes were walked");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_and_queries_cannot_name_another_tenants_things() {
    let plane = Plane::start().await;
    let (shop, stranger) = (plane.shop().await, plane.shop().await);
    let mine = &stranger.owner;
    let product = json!({ "brandId": shop.brand, "gtin": gtin(), "name": "P" });
    plane.as_person(mine, "POST", "/v1/products", product).await.problem(404);
    plane.get(mine, &format!("/v1/products?brandId={}", shop.brand)).await.problem(404);
    let order = json!({ "productId": shop.product, "units": 1, "mode": "static" });
    let reply = plane.order(mine, &stranger.brand, "key", &order).await;
    assert_eq!(reply.problem(404), "NOT_FOUND");
    assert_eq!(reply.body["field"], "productId");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_of_another_brand_of_the_tenant_cannot_be_ordered() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let brand = plane.brand(&shop.owner).await;
    let order = json!({ "productId": shop.product, "units": 1, "mode": "static" });
    plane.order(&shop.owner, &brand, "key", &order).await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_gtin_is_another_tenants_business() {
    let plane = Plane::start().await;
    let (shop, stranger) = (plane.shop().await, plane.shop().await);
    let gtin = gtin();
    let new = |brand: &str| json!({ "brandId": brand, "gtin": gtin, "name": "P" });
    plane.as_person(&shop.owner, "POST", "/v1/products", new(&shop.brand)).await.expect(201);
    plane.as_person(&stranger.owner, "POST", "/v1/products", new(&stranger.brand)).await.expect(201);
    let brand = plane.brand(&shop.owner).await;
    let again = plane.as_person(&shop.owner, "POST", "/v1/products", new(&brand)).await;
    assert_eq!(again.problem(409), "GTIN_EXISTS");
}
