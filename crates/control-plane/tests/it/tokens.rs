//! The units of a batch, with their codes masked.

use serde_json::Value;

use crate::harness::{Plane, text};

#[tokio::test(flavor = "multi_thread")]
async fn tokens_before_the_partition_is_known_are_none() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let batch = plane.batch(&shop.owner, &shop.brand, &shop.product, 5).await;
    let page =
        plane.get(&shop.owner, &format!("/v1/batches/{}/tokens", text(&batch, "id"))).await.expect(200);
    assert_eq!(page, serde_json::json!({ "items": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_walked_show_each_serial_once_and_never_a_whole_code() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    plane.batch(&shop.owner, &shop.brand, &shop.product, 100).await;
    let batch = plane.batch(&shop.owner, &shop.brand, &shop.product, 5).await;
    plane.sql("UPDATE batch SET partition_id = 709").await;
    let path = format!("/v1/batches/{}/tokens?limit=2", text(&batch, "id"));

    let (mut tokens, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = plane.get(&shop.owner, &format!("{path}{cursor}")).await.expect(200);
        tokens.extend(page["items"].as_array().unwrap().clone());
        match page["nextCursor"].as_str() {
            Some(next) if tokens.len() < 10 => cursor = format!("&cursor={next}"),
            _ => break,
        }
    }
    let serials: Vec<u64> = tokens.iter().map(|token| token["serial"].as_u64().unwrap()).collect();
    assert_eq!(serials, [101, 102, 103, 104, 105]);
    let mut masked: Vec<&str> = tokens.iter().map(|token| text(token, "maskedCode")).collect();
    for code in &masked {
        let hidden = code.chars().filter(|c| *c == '•').count();
        assert_eq!((hidden, code.chars().count()), (14, 24), "{code}");
        // Partition 709 is P5 in Crockford's alphabet: 709 = 22 * 32 + 5.
        assert!(code.starts_with("P5"), "{code}");
    }
    masked.sort_unstable();
    masked.dedup();
    assert_eq!(masked.len(), 5, "the last four characters differ: 20 random bits each");

    let again = plane.get(&shop.owner, &path).await.expect(200);
    assert_eq!(again["items"].as_array().unwrap()[..], tokens[..2], "derived again, the same");
    assert!(
        tokens.iter().all(|token| token.as_object().unwrap().values().filter(|v| v.is_string()).count() == 1)
    );
    let foreign_cursor = plane.get(&shop.owner, &format!("{path}&cursor=AAAAAAAAAAAAAAAAAAAAAA")).await;
    assert_eq!(foreign_cursor.problem(400), "INVALID_CURSOR");
    assert!(matches!(foreign_cursor.body["field"], Value::String(ref field) if field == "cursor"));
}
