//! Keys are replaced: under a new pepper old codes stay recognised; a service's key changes without a restart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mintmark_auth::{DEFAULT_ISSUER, SigningKey, TokenSource, TrustBundle, TrustedKey};
use mintmark_ids::{ProductId, ServiceName};
use mintmark_rpc::client::Directory;
use mintmark_service::telemetry::metrics_text;
use mintmark_wire::directory::v1::ActivationMode;
use serde_json::json;

use crate::stage::{PEPPER_2, PEPPERS, Scan, Stage, link, product};

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

#[tokio::test(flavor = "multi_thread")]
async fn trust_bundle_rotates_with_an_overlap_and_a_removed_key_is_refused() {
    let stage = Stage::new().await;
    let path = stage.folder.path().join("trust.json");
    let old = std::fs::read_to_string(&path).unwrap();
    let bundle = TrustBundle::parse(&old).unwrap();
    let key = SigningKey::from_pem(&SigningKey::generate_pem()).unwrap();
    let added = TrustedKey { jwk: key.public_jwk(), ..bundle.keys()[0].clone() };
    let tokens = TokenSource::new(ServiceName::ControlPlane, key, DEFAULT_ISSUER);
    let directory = Directory::new(&format!("http://{}", stage.directory_addr), tokens).unwrap();
    let knows = async |directory: &Directory| {
        let put = directory.put_product(&stage.tenant, product(ProductId::new(), 1, None)).await;
        put.is_ok()
    };
    assert!(knows(&stage.directory).await && !knows(&directory).await);

    let both = TrustBundle::new(DEFAULT_ISSUER, vec![added.clone(), bundle.keys()[0].clone()]).unwrap();
    std::fs::write(&path, both.to_json()).unwrap();
    until("the new key is trusted", async || knows(&directory).await).await;
    assert!(knows(&stage.directory).await, "both, for the overlap");

    // Broken: whatever was in force stays.
    std::fs::write(&path, "{").unwrap();
    // Other tests' directories set the same gauge of this process to 0; each look at this file sets it to 1.
    let failing = "file_reload_failing{file=\"trust-bundle\"";
    let shown = |line: &str| line.starts_with(failing) && line.ends_with(" 1");
    until("the metric shows the broken file", async || metrics_text().lines().any(shown)).await;
    assert!(knows(&stage.directory).await && knows(&directory).await);

    std::fs::write(&path, TrustBundle::new(DEFAULT_ISSUER, vec![added]).unwrap().to_json()).unwrap();
    let removed = Instant::now();
    until("the removed key is refused, cached tokens included", async || !knows(&stage.directory).await)
        .await;
    assert!(removed.elapsed() < Duration::from_secs(4), "{:?}", removed.elapsed());
    assert!(knows(&directory).await);
}

async fn until(what: &str, mut met: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !met().await {
        assert!(started.elapsed() < Duration::from_secs(20), "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
