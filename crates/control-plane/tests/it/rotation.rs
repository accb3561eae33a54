//! Signing keys change while the service runs: overlap, new signer, withdrawal, and a broken file.

use std::time::{Duration, Instant};

use mintmark_auth::SigningKey;
use mintmark_service::telemetry::metrics_text;
use serde_json::{Value, json};

use crate::harness::{Person, Plane, text};
use crate::stage::eventually;

fn new_key() -> (String, String) {
    let pem = SigningKey::generate_pem().to_string();
    let kid = SigningKey::from_pem(&pem).unwrap().kid().to_owned();
    (pem, kid)
}

fn put(plane: &Plane, file: &str, text: &str) {
    // As an operator's tool does it: whole or not at all.
    let path = plane.folder.path().join(file);
    std::fs::write(path.with_extension("new"), text).unwrap();
    std::fs::rename(path.with_extension("new"), path).unwrap();
}

async fn published(plane: &Plane) -> Vec<String> {
    let set = plane.send("GET", "/.well-known/jwks.json", None, &[], None).await.expect(200);
    set["keys"].as_array().unwrap().iter().map(|key| text(key, "kid").to_owned()).collect()
}

/// Which key signed it.
fn signer(token: &str) -> String {
    use base64::Engine as _;
    let header = token.split('.').next().unwrap();
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap();
    text(&serde_json::from_slice::<Value>(&header).unwrap(), "kid").to_owned()
}

async fn opens(plane: &Plane, who: &Person) -> bool {
    plane.get(who, "/v1/brands").await.status == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn session_key_rotates_with_an_overlap_and_takes_its_sessions_along() {
    let plane = Plane::start().await;
    let tenant = plane.tenant().await;
    let before = plane.person(&tenant, true).await;
    let old = std::fs::read_to_string(plane.folder.path().join("sessions.pem")).unwrap();
    let (new, new_kid) = new_key();

    put(&plane, "sessions.pem", &format!("{old}{new}"));
    eventually("the new key is published", async || published(&plane).await.contains(&new_kid).then_some(()))
        .await;
    put(&plane, "sessions.pem", &format!("{new}{old}"));
    let after = eventually("the new key signs", async || {
        let session = plane.session(&before.id).await;
        (signer(&session) == new_kid).then_some(session)
    })
    .await;
    let after = Person { session: after, ..before.clone() };
    assert!(opens(&plane, &before).await && opens(&plane, &after).await, "both, for the overlap");

    put(&plane, "sessions.pem", &new);
    let withdrawn = Instant::now();
    eventually("the old key's sessions are refused", async || (!opens(&plane, &before).await).then_some(()))
        .await;
    // A second, and what a busy machine adds to it.
    assert!(withdrawn.elapsed() < Duration::from_secs(4), "{:?}", withdrawn.elapsed());
    assert!(opens(&plane, &after).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_key_rotates_and_new_tokens_are_signed_with_it() {
    let plane = Plane::start().await;
    let tenant = plane.tenant().await;
    let old = std::fs::read_to_string(plane.folder.path().join("identity.pem")).unwrap();
    let (new, new_kid) = new_key();
    let ask = json!({ "tenantId": tenant, "scopes": ["jobs:read"] });
    put(&plane, "identity.pem", &format!("{new}{old}"));
    eventually("the new key signs", async || {
        let made = plane.admin("POST", "/api/admin/preflight-tokens", ask.clone()).await.expect(201);
        (signer(text(&made, "token")) == new_kid).then_some(())
    })
    .await;
    assert_eq!(published(&plane).await.len(), 3, "the session key, and both of the identity");
    put(&plane, "identity.pem", &new);
    eventually("the old key is gone", async || (published(&plane).await.len() == 2).then_some(())).await;
}

fn failing(file: &str) -> Option<String> {
    let line = format!("file_reload_failing{{file=\"{file}\"");
    let text = metrics_text();
    let found = text.lines().find(|text| text.starts_with(&line))?;
    found.rsplit_once(' ').map(|(_, value)| value.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_key_file_changes_nothing_and_shows_in_the_metrics() {
    let plane = Plane::start().await;
    let person = plane.person(&plane.tenant().await, true).await;
    let before = published(&plane).await;
    let identity = std::fs::read_to_string(plane.folder.path().join("identity.pem")).unwrap();
    let own = std::fs::read_to_string(plane.folder.path().join("sessions.pem")).unwrap();
    for broken in ["", "-----BEGIN PRIVATE KEY-----\n", &format!("{own}{identity}")] {
        put(&plane, "sessions.pem", broken);
        eventually("the metric shows the broken file", async || {
            // Other tests' services set the same gauge of this process to 0.
            failing("session-signing-key").filter(|value| value == "1")
        })
        .await;
        assert_eq!(published(&plane).await, before);
        assert!(opens(&plane, &person).await);
        assert_eq!(signer(&plane.session(&person.id).await), before[0]);
    }
    put(&plane, "sessions.pem", &own);
    eventually("the metric is well again", async || {
        failing("session-signing-key").filter(|value| value == "0")
    })
    .await;
}
