//! An order is placed once, however often and by however many it is repeated.

use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel_async::SimpleAsyncConnection;
use mintmark_db::{DbConfig, Pool};
use serde_json::{Value, json};

use crate::harness::{Plane, Shop, text};

fn order(shop: &Shop, units: u32) -> Value {
    json!({ "productId": shop.product, "units": units, "mode": "static" })
}

async fn batches(plane: &Plane, shop: &Shop) -> usize {
    let path = format!("/v1/brands/{}/batches?limit=200", shop.brand);
    plane.get(&shop.owner, &path).await.expect(200)["items"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn submit_without_a_good_key_is_400_and_does_nothing() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let path = format!("/v1/brands/{}/batches", shop.brand);
    let reply = plane.as_person(&shop.owner, "POST", &path, order(&shop, 1)).await;
    assert_eq!(reply.problem(400), "IDEMPOTENCY_KEY_REQUIRED");
    let long = "k".repeat(256);
    for key in ["", "two words", "é", long.as_str()] {
        let reply = plane.order(&shop.owner, &shop.brand, key, &order(&shop, 1)).await;
        assert_eq!(reply.problem(400), "IDEMPOTENCY_KEY_INVALID", "{key:?}");
    }
    let twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")];
    let reply = plane.send("POST", &path, Some(&shop.owner.session), &twice, Some(&order(&shop, 1))).await;
    assert_eq!(reply.problem(400), "IDEMPOTENCY_KEY_INVALID");
    assert_eq!(batches(&plane, &shop).await, 0);
    plane.order(&shop.owner, &shop.brand, &long[..255], &order(&shop, 1)).await.expect(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn submit_again_gives_the_first_answer_even_when_the_batch_has_moved_on() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let first = plane.order(&shop.owner, &shop.brand, "key", &order(&shop, 5)).await;
    assert_eq!(first.header("idempotent-replayed"), None);
    let location = first.header("location").unwrap().to_owned();
    let first = first.expect(202);
    assert_eq!(location, format!("/v1/batches/{}", text(&first, "id")));

    plane.sql("UPDATE batch SET state = 'failed', failure_code = 'X', failure_message = 'x'").await;
    // The same order in another notation: members in another order.
    let path = format!("/v1/brands/{}/batches", shop.brand);
    let raw = format!(r#"{{ "mode":"static",  "units":5, "productId":"{}" }}"#, shop.product);
    let again = reqwest::Client::builder().no_proxy().build().unwrap();
    let again = again
        .post(format!("{}{path}", plane.base))
        .bearer_auth(&shop.owner.session)
        .header("Idempotency-Key", "key")
        .header("Content-Type", "application/json")
        .body(raw);
    let again = again.send().await.unwrap();
    assert_eq!(again.status(), 202);
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(again.headers()["location"], location.as_str());
    assert_eq!(again.json::<Value>().await.unwrap(), first);
    assert_eq!(batches(&plane, &shop).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn submit_of_another_body_under_the_same_key_is_422() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    plane.order(&shop.owner, &shop.brand, "key", &order(&shop, 5)).await.expect(202);
    let other = plane.order(&shop.owner, &shop.brand, "key", &order(&shop, 6)).await;
    assert_eq!(other.problem(422), "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(batches(&plane, &shop).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn submit_by_another_person_or_for_another_brand_is_another_order() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let first = plane.order(&shop.owner, &shop.brand, "key", &order(&shop, 5)).await.expect(202);

    let colleague = plane.person(&shop.owner.tenant, false).await;
    plane.grant(&colleague, &shop.brand, "admin").await;
    let second = plane.order(&colleague, &shop.brand, "key", &order(&shop, 5)).await;
    assert_eq!(second.header("idempotent-replayed"), None);
    let second = second.expect(202);

    let brand = plane.brand(&shop.owner).await;
    let product = plane.product(&shop.owner, &brand).await;
    let elsewhere = Shop { owner: shop.owner.clone(), brand, product };
    let third =
        plane.order(&elsewhere.owner, &elsewhere.brand, "key", &order(&elsewhere, 5)).await.expect(202);
    assert_ne!(first["id"], second["id"]);
    assert_ne!(first["id"], third["id"]);

    let stranger = plane.shop().await;
    plane.order(&stranger.owner, &stranger.brand, "key", &order(&stranger, 5)).await.expect(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn submit_again_after_the_role_is_gone_is_403() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let colleague = plane.person(&shop.owner.tenant, false).await;
    let membership = plane.grant(&colleague, &shop.brand, "admin").await;
    plane.order(&colleague, &shop.brand, "key", &order(&shop, 5)).await.expect(202);
    plane.admin("DELETE", &format!("/api/admin/memberships/{membership}"), Value::Null).await;
    assert_eq!(plane.order(&colleague, &shop.brand, "key", &order(&shop, 5)).await.problem(403), "FORBIDDEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn submit_that_failed_leaves_the_key_free() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let wrong = json!({ "productId": "prd_01h45ytscbebyvny4gc8cr8ma2", "units": 1, "mode": "static" });
    plane.order(&shop.owner, &shop.brand, "key", &wrong).await.problem(404);
    plane.order(&shop.owner, &shop.brand, "key", &order(&shop, 1)).await.expect(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn submit_fifty_times_at_once_makes_one_batch() {
    let plane = Arc::new(Plane::start().await);
    let shop = Arc::new(plane.shop().await);
    let all = (0..50).map(|_| {
        let (plane, shop) = (plane.clone(), shop.clone());
        tokio::spawn(async move {
            plane.order(&shop.owner, &shop.brand, "key", &order(&shop, 7)).await.expect(202)
        })
    });
    let mut answers = Vec::new();
    for one in all.collect::<Vec<_>>() {
        answers.push(one.await.unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(batches(&plane, &shop).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn submit_while_the_key_is_held_waits_two_seconds_and_is_409() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let path = format!("/v1/brands/{}/batches", shop.brand);
    let pool = Pool::new(&DbConfig::new(plane.db.owner_url()), &plane.context.home).unwrap();
    let mut holder = pool.get().await.unwrap();
    let claim = format!(
        "BEGIN; INSERT INTO idempotency (tenant_id, actor, method, path, key, fingerprint)
         VALUES ('{}', 'user:{}', 'POST', '{path}', 'key', decode(repeat('00', 32), 'hex'))",
        shop.owner.tenant, shop.owner.id
    );
    holder.batch_execute(&claim).await.unwrap();

    let asked = Instant::now();
    let reply = plane.order(&shop.owner, &shop.brand, "key", &order(&shop, 1)).await;
    assert_eq!(reply.problem(409), "IDEMPOTENCY_IN_PROGRESS");
    assert!(reply.header("retry-after").is_some());
    assert!((Duration::from_secs(2)..Duration::from_secs(5)).contains(&asked.elapsed()));

    holder.batch_execute("ROLLBACK").await.unwrap();
    plane.order(&shop.owner, &shop.brand, "key", &order(&shop, 1)).await.expect(202);
}
