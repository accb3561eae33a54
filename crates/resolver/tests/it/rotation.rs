//! A pepper is replaced: old codes stay recognised, new ones stand under the new pepper.

use std::sync::Arc;

use mintmark_wire::directory::v1::ActivationMode;
use serde_json::json;

use crate::stage::{PEPPER_2, PEPPERS, Scan, Stage, link};

#[tokio::test(flavor = "multi_thread")]
async fn rotation_opens_a_new_partition_and_keeps_the_old_one_recognised() {
    let before = Stage::new().await;
    let old = before.sealed(before.product(None).await, ActivationMode::Static, 1, 4).await;
    let after = Stage::on(Arc::clone(&before.db), PEPPERS).await;
    let new = after.sealed(after.product(None).await, ActivationMode::Static, 1, 4).await;
    assert_ne!(old[0].partition(), new[0].partition());
    after.scan.becomes(&link(&new[0]), "genuine").await;
    after.scan.becomes(&link(&old[0]), "genuine").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_without_the_pepper_of_a_partition_does_not_call_its_codes_unknown() {
    let stage = Stage::new().await;
    let codes = stage.sealed(stage.product(None).await, ActivationMode::Static, 1, 4).await;
    let scan = Scan::with_peppers(&stage.db, Vec::new(), PEPPER_2).await;
    assert_eq!(scan.json(&link(&codes[0])).await, (503, json!({"status": "unconfirmed"})));
}
