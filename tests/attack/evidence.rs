//! Evidence through the whole platform: the control plane in front of the true vault, its keys and its log.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::stage::{Reply, Shop, Stage, on_stage};

/// A checkpoint comes each second; slow machines take their time.
const SEQUENCED_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at something.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A request of a person with a session.
async fn ask(stage: &Stage, session: &str, method: &str, path: &str, body: Option<Value>) -> Reply {
    let bearer = format!("Bearer {session}");
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", "k")];
    let body = body.map(|body| body.to_string());
    stage.send(method, &stage.control, path, &headers, body.as_deref().map(str::as_bytes)).await
}

async fn owner(stage: &Stage, shop: &Shop, method: &str, path: &str, body: Option<Value>) -> Reply {
    ask(stage, &shop.owner.session, method, path, body).await
}

/// The content that [`Stage::shop`] uploads.
fn content() -> Value {
    json!({ "seen": "at the fair" })
}

#[test]
fn evidence_is_read_by_its_roles_held_and_never_given_to_others() {
    on_stage(async |stage| {
        let shop = stage.shop().await;
        let path = format!("/v1/evidence/{}", shop.evidence);
        let metadata = owner(stage, &shop, "GET", &path, None).await;
        assert_eq!((metadata.status, &metadata.body["state"]), (200, &json!("stored")), "{metadata:#?}");
        assert_eq!(metadata.body["bytes"], content().to_string().len());
        let list = format!("/v1/evidence?dispute={}", shop.dispute);
        assert_eq!(owner(stage, &shop, "GET", &list, None).await.body["items"][0], metadata.body);

        let whole = owner(stage, &shop, "GET", &format!("{path}/content"), None).await;
        assert_eq!((whole.status, &whole.body), (200, &content()));
        assert_eq!(whole.headers["content-type"], "application/json");
        let bearer = format!("Bearer {}", shop.owner.session);
        for (range, status, text) in [
            ("bytes=2-5", 206, "seen"),
            ("bytes=-2", 206, "\"}"),
            ("bytes=900-", 416, "RANGE_NOT_SATISFIABLE"),
        ] {
            let headers = [("authorization", bearer.as_str()), ("range", range)];
            let part = stage.send("GET", &stage.control, &format!("{path}/content"), &headers, None).await;
            let said = if status == 206 { part.body.as_str().unwrap() } else { part.code() };
            assert_eq!((part.status, said), (status, text), "{range}");
        }

        // Held, it is not erased; released, it is not due: either way there is no proof.
        let hold = format!("{path}/legal-hold");
        let proof = format!("/v1/admin/erasure-proof/{}", shop.evidence);
        for (held, code) in [(true, "EVIDENCE_HELD"), (false, "EVIDENCE_NOT_ERASED")] {
            let set = owner(stage, &shop, "PUT", &hold, Some(json!({ "legalHold": held }))).await;
            assert_eq!((set.status, &set.body["legalHold"]), (200, &json!(held)), "{set:#?}");
            let none = owner(stage, &shop, "GET", &proof, None).await;
            assert_eq!((none.status, none.code()), (409, code), "{none:#?}");
        }
        let keys = stage.send("GET", &stage.control, "/.well-known/evidence-keys.json", &[], None).await;
        assert_eq!(keys.body["keys"][0]["kty"], "RSA", "{keys:#?}");
        let keys = stage.send("GET", &stage.control, "/.well-known/audit-keys.txt", &[], None).await;
        assert!(keys.body.as_str().unwrap().contains("mintmark.invalid/evidence-vault+"), "{keys:#?}");

        // Another tenant's governor learns nothing of it.
        for path in [path.clone(), format!("{path}/content"), proof] {
            let refused = ask(stage, &stage.theirs.owner.session, "GET", &path, None).await;
            assert_eq!((refused.status, refused.code()), (404, "NOT_FOUND"), "{path}");
        }
    });
}

#[test]
fn evidence_of_a_closed_dispute_is_read_by_governors_alone() {
    on_stage(async |stage| {
        let shop = stage.shop().await;
        let bearer = format!("Bearer {}", stage.control_token);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let grant = json!({ "userId": shop.colleague.id, "role": "ARBITRATOR" }).to_string();
        let path = "/api/admin/memberships";
        let granted = stage.send("POST", &stage.control, path, &headers, Some(grant.as_bytes())).await;
        assert_eq!(granted.status, 201, "{granted:#?}");
        let content_path = format!("/v1/evidence/{}/content", shop.evidence);
        let arbitrator = shop.colleague.session.as_str();
        assert_eq!(ask(stage, arbitrator, "GET", &content_path, None).await.body, content());

        let close = format!("/v1/disputes/{}/close", shop.dispute);
        let closed = ask(stage, arbitrator, "POST", &close, Some(json!({ "outcome": "rejected" }))).await;
        assert_eq!(closed.status, 200, "{closed:#?}");
        let refused = ask(stage, arbitrator, "GET", &content_path, None).await;
        assert_eq!((refused.status, refused.code()), (403, "DISPUTE_CLOSED"), "{refused:#?}");
        assert_eq!(owner(stage, &shop, "GET", &content_path, None).await.body, content());
        let late = format!("/v1/evidence?dispute={}", shop.dispute);
        let late = owner(stage, &shop, "POST", &late, Some(json!({}))).await;
        assert_eq!((late.status, late.code()), (409, "DISPUTE_CLOSED"));
    });
}

#[test]
fn every_read_of_evidence_is_in_the_vaults_log_with_a_proof() {
    on_stage(async |stage| {
        let shop = stage.shop().await;
        let content_path = format!("/v1/evidence/{}/content", shop.evidence);
        assert_eq!(owner(stage, &shop, "GET", &content_path, None).await.status, 200);
        let found = format!("/v1/admin/evidence-audit?action=EVIDENCE_ACCESSED&resourceId={}", shop.evidence);
        let begun = Instant::now();
        let entry = loop {
            let entries = owner(stage, &shop, "GET", &found, None).await;
            let entry = entries.body["items"][0].clone();
            assert_eq!(entry["actor"], format!("user:{}", shop.owner.id), "{entries:#?}");
            if !entry["leaf"].is_null() {
                break entry;
            }
            assert!(begun.elapsed() < SEQUENCED_WITHIN, "the log does not hold it: {entries:#?}");
            tokio::time::sleep(LOOK_EVERY).await;
        };
        let proof = format!("/v1/admin/evidence-audit/{}/proof", entry["id"].as_str().unwrap());
        let proof = loop {
            let proof = owner(stage, &shop, "GET", &proof, None).await;
            if proof.status == 200 {
                break proof.body;
            }
            assert_eq!((proof.status, proof.code()), (409, "AUDIT_ENTRY_PENDING"));
            assert!(begun.elapsed() < SEQUENCED_WITHIN, "no checkpoint covers it");
            tokio::time::sleep(LOOK_EVERY).await;
        };
        assert!(proof.to_string().contains("EVIDENCE_ACCESSED"), "{proof:#}");
    });
}
