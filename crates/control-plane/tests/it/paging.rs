//! Every list can be walked: each item once, newest first, to an end.

use serde_json::{Value, json};

use crate::harness::{Plane, gtin, text};

/// All ids of a list, two at a time.
async fn walk(plane: &Plane, token: &str, path: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    for _ in 0..20 {
        let joint = if path.contains('?') { '&' } else { '?' };
        let page = plane
            .send("GET", &format!("{path}{joint}limit=2{cursor}"), Some(token), &[], None)
            .await
            .expect(200);
        let items = page["items"].as_array().unwrap();
        assert!((1..=2).contains(&items.len()), "{path}");
        ids.extend(items.iter().map(|item| text(item, "id").to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
    panic!("{path} has no end");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_the_operator_show_each_item_once_newest_first() {
    let plane = Plane::start().await;
    let (mut tenants, mut users) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        tenants.insert(0, plane.tenant().await);
    }
    for _ in 0..4 {
        users.insert(0, plane.person(&tenants[0], false).await.id);
    }
    assert_eq!(walk(&plane, &plane.control, "/api/admin/tenants").await, tenants);
    assert_eq!(
        walk(&plane, &plane.control, &format!("/api/admin/users?tenantId={}", tenants[0])).await,
        users
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_a_brand_show_each_item_once_newest_first() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let (mut brands, mut products, mut batches) =
        (vec![shop.brand.clone()], vec![shop.product.clone()], Vec::new());
    for _ in 0..4 {
        brands.insert(0, plane.brand(&shop.owner).await);
        let new = json!({ "brandId": shop.brand, "gtin": gtin(), "name": "P" });
        let product = plane.as_person(&shop.owner, "POST", "/v1/products", new).await.expect(201);
        products.insert(0, text(&product, "id").to_owned());
        let batch = plane.batch(&shop.owner, &shop.brand, &shop.product, 1).await;
        batches.insert(0, text(&batch, "id").to_owned());
    }
    let session = &shop.owner.session;
    assert_eq!(walk(&plane, session, "/v1/brands").await, brands);
    assert_eq!(walk(&plane, session, &format!("/v1/products?brandId={}", shop.brand)).await, products);
    assert_eq!(walk(&plane, session, &format!("/v1/brands/{}/batches", shop.brand)).await, batches);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_of_a_batch_begins_with_who_asked_for_it() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let batch = plane.batch(&shop.owner, &shop.brand, &shop.product, 9).await;
    let path = format!("/v1/batches/{}/events", text(&batch, "id"));
    let page = plane.get(&shop.owner, &path).await.expect(200);
    let events = page["items"].as_array().unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(text(&events[0], "kind"), "batch.created");
    assert_eq!(text(&events[0], "actor"), format!("user:{}", shop.owner.id));
    assert_eq!(events[0]["detail"]["units"], 9);
    assert_eq!(page.get("nextCursor"), None::<&Value>);
}
