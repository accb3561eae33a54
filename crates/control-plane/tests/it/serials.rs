//! Serial numbers: every unit has one, none has another's.

use std::sync::Arc;

use serde_json::json;

use crate::harness::{Plane, next};

#[tokio::test(flavor = "multi_thread")]
async fn serials_under_twenty_orders_at_once_are_contiguous() {
    let plane = Arc::new(Plane::start().await);
    let shop = Arc::new(plane.shop().await);
    let all: Vec<_> = (1..=20)
        .map(|units| {
            let (plane, shop) = (plane.clone(), shop.clone());
            tokio::spawn(async move { plane.batch(&shop.owner, &shop.brand, &shop.product, units).await })
        })
        .collect();
    let mut ranges = Vec::new();
    for one in all {
        let batch = one.await.unwrap();
        let number = |member: &str| batch[member].as_u64().unwrap();
        assert_eq!(number("lastSerial") - number("firstSerial") + 1, number("units"));
        ranges.push((number("firstSerial"), number("lastSerial")));
    }
    ranges.sort_unstable();
    assert_eq!(ranges[0].0, 1);
    assert_eq!(ranges[19].1, (1..=20).sum::<u64>());
    assert!(ranges.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "{ranges:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn serials_that_do_not_fit_below_2_to_the_53_are_refused_and_not_lost() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let last = (1_u64 << 53) - 1;
    plane.sql(&format!("UPDATE product SET next_serial = {}", last - 1)).await;
    let order = |units: u32| json!({ "productId": shop.product, "units": units, "mode": "static" });
    let key = || format!("key-{}", next());
    let reply = plane.order(&shop.owner, &shop.brand, &key(), &order(3)).await;
    assert_eq!(reply.problem(422), "SERIALS_EXHAUSTED");
    let batch = plane.order(&shop.owner, &shop.brand, &key(), &order(2)).await.expect(202);
    assert_eq!((&batch["firstSerial"], &batch["lastSerial"]), (&json!(last - 1), &json!(last)));
    plane.order(&shop.owner, &shop.brand, &key(), &order(1)).await.problem(422);
}
