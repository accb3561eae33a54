//! What is asked of the vault beside the evidence itself: proofs, its audit, operations, keys; and what opens none of it.

use mintmark_auth::{Actor, CallRole};
use mintmark_fault::Kind;
use serde_json::{Value, json};

use crate::disputes::{close, open, person};
use crate::evidence::Scene;
use crate::harness::{Plane, text};
use crate::vault::JOB;

#[tokio::test(flavor = "multi_thread")]
async fn proofs_and_audit_are_for_governors_and_admin_read() {
    let scene = Scene::set().await;
    let stored = scene.upload(&scene.user, "x").await;
    let path = format!("/v1/admin/erasure-proof/{}", text(&stored, "id"));
    let chief = scene.plane.person(&scene.tenant, true).await;
    let new = json!({ "name": "reader", "scopes": ["admin:read"] });
    let key = scene.plane.as_person(&chief, "POST", "/v1/api-keys", new).await.expect(201);
    let key = text(&key, "key").to_owned();

    assert_eq!(scene.plane.get(&scene.arbitrator, &path).await.problem(403), "FORBIDDEN");
    for (session, role) in [
        (scene.governor.session.as_str(), CallRole::Governance),
        (&chief.session, CallRole::AdminRead),
        (&key, CallRole::AdminRead),
    ] {
        let proof = scene.plane.send("GET", &path, Some(session), &[], None).await;
        assert_eq!(scene.vault.person("GetErasureProof").role(), Some(role));
        let etag = proof.header("etag").unwrap().to_owned();
        assert_eq!(proof.header("cache-control"), Some("private, no-cache"));
        assert_eq!(text(&proof.expect(200), "proof"), "a.b.c");
        let again = scene.plane.send("GET", &path, Some(session), &[("If-None-Match", &etag)], None).await;
        assert_eq!((again.status, &again.body), (304, &json!("")));
    }
    for (code, status) in [("ERASURE_PENDING", 409), ("EVIDENCE_HELD", 409)] {
        scene.vault.state().refusals.insert("GetErasureProof", (Kind::Conflict, code));
        assert_eq!(scene.plane.get(&scene.governor, &path).await.problem(status), code);
    }

    let list = "/v1/admin/evidence-audit?actor=user:x&from=2026-01-02T03:04:05Z&limit=1";
    let page = scene.plane.send("GET", list, Some(&key), &[], None).await.expect(200);
    let entry = &page["items"][0];
    assert_eq!((text(entry, "actor"), text(entry, "at")), ("user:x", "2026-01-02T03:04:05Z"));
    assert_eq!((&entry["leaf"]["tenantNumber"], &entry["detail"]["bytes"]), (&json!(2), &json!(3)));
    let next = format!("{list}&cursor={}", text(&page, "nextCursor"));
    assert_eq!(
        scene.plane.send("GET", &next, Some(&key), &[], None).await.expect(200)["nextCursor"],
        Value::Null
    );
    let proof = format!("/v1/admin/evidence-audit/{}/proof", text(entry, "id"));
    let proof = scene.plane.send("GET", &proof, Some(&key), &[], None).await.expect(200);
    assert_eq!(proof["entry"], entry["id"]);
    assert_eq!(scene.plane.get(&scene.arbitrator, list).await.problem(403), "FORBIDDEN");
    // A key opens nothing else of evidence.
    let refused = scene.plane.send("GET", "/v1/disputes", Some(&key), &[], None).await;
    assert_eq!(refused.problem(401), "AUTHENTICATION_REQUIRED");
}

#[tokio::test(flavor = "multi_thread")]
async fn impersonating_session_is_refused_everywhere() {
    let scene = Scene::set().await;
    let stored = scene.upload(&scene.user, "x").await;
    let id = text(&stored, "id");
    let chief = person(&scene.plane, &scene.tenant, &["USER", "ARBITRATOR", "GOVERNANCE"]).await;
    scene
        .plane
        .sql(&format!("UPDATE app_user SET tenant_admin = true WHERE tenant_id = '{}'", scene.tenant))
        .await;
    let path = format!("/v1/admin/users/{}/impersonate", scene.governor.id);
    let made = scene.plane.as_person(&chief, "POST", &path, json!({})).await.expect(201);
    let session = text(&made, "token").to_owned();
    let calls = scene.vault.state().seen.len();
    for (method, path, body) in [
        ("GET", "/v1/disputes".to_owned(), Value::Null),
        ("GET", format!("/v1/evidence?dispute={}", scene.dispute), Value::Null),
        ("GET", format!("/v1/evidence/{id}"), Value::Null),
        ("GET", format!("/v1/evidence/{id}/content"), Value::Null),
        ("PUT", format!("/v1/evidence/{id}/legal-hold"), json!({ "legalHold": true })),
        ("GET", format!("/v1/admin/erasure-proof/{id}"), Value::Null),
        ("GET", "/v1/admin/evidence-audit".to_owned(), Value::Null),
        ("POST", format!("/v1/disputes/{}/close", scene.dispute), json!({ "outcome": "upheld" })),
        ("POST", format!("/v1/evidence?dispute={}", scene.dispute), Value::Null),
    ] {
        let body = (!body.is_null()).then_some(&body);
        let refused =
            scene.plane.send(method, &path, Some(&session), &[("Idempotency-Key", "k")], body).await;
        assert_eq!(refused.problem(403), "IMPERSONATION_REFUSED", "{method} {path}");
    }
    assert_eq!(scene.vault.state().seen.len(), calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_the_operators() {
    let scene = Scene::set().await;
    let path = format!("/api/admin/tenants/{}/evidence/operations", scene.tenant);
    for kind in ["retention", "rotate-keys", "recompute-retention"] {
        let started = scene.plane.admin("POST", &path, json!({ "kind": kind })).await;
        assert_eq!(started.header("location"), Some(format!("{path}/{JOB}").as_str()));
        let started = started.expect(202);
        assert_eq!((text(&started, "kind"), text(&started, "state")), (kind, "queued"));
    }
    let claims = scene.vault.person("StartOperation");
    assert_eq!((claims.actor(), claims.role(), claims.dispute()), (Actor::ControlToken, None, None));
    let done = scene.plane.admin("GET", &format!("{path}/{JOB}"), Value::Null).await.expect(200);
    assert_eq!((text(&done, "state"), &done["done"]), ("succeeded", &json!(3)));
    let odd = scene.plane.admin("POST", &path, json!({ "kind": "erase-everything" })).await;
    assert_eq!(odd.problem(400), "OPERATION_KIND_INVALID");
    let nobody = "/api/admin/tenants/nobody-there/evidence/operations";
    let lost = scene.plane.admin("POST", nobody, json!({ "kind": "retention" })).await;
    assert_eq!(lost.problem(404), "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_public_and_asked_for_once() {
    let scene = Scene::set().await;
    for _ in 0..3 {
        let jwks = scene.plane.send("GET", "/.well-known/evidence-keys.json", None, &[], None).await;
        assert_eq!(jwks.header("cache-control"), Some("public, max-age=300"));
        assert_eq!(jwks.expect(200), json!({ "keys": [] }));
        let vkeys = scene.plane.send("GET", "/.well-known/audit-keys.txt", None, &[], None).await;
        assert_eq!(vkeys.expect(200), json!("vault+00000000+AQ==\n"));
    }
    let asked = scene.vault.state().seen.iter().filter(|(method, _)| *method == "GetVerifyingKeys").count();
    assert_eq!(asked, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn vault_that_is_away_is_503_and_everything_else_works() {
    // Nobody listens on the default port of a test's vault.
    let plane = Plane::start_with(&[("EVIDENCE_VAULT_GRPC_URL", "http://127.0.0.1:1")]).await;
    let governor = person(&plane, &plane.tenant().await, &["GOVERNANCE"]).await;
    let dispute = open(&plane, &governor).await;
    let away = plane.get(&governor, &format!("/v1/evidence?dispute={dispute}")).await;
    assert_eq!(away.problem(503), "EVIDENCE_UNAVAILABLE");
    assert!(away.header("retry-after").is_some());
    let path = format!("/v1/evidence?dispute={dispute}");
    let headers = [("Idempotency-Key", "k")];
    let away = plane.send("POST", &path, Some(&governor.session), &headers, Some(&json!({}))).await;
    assert_eq!(away.problem(503), "EVIDENCE_UNAVAILABLE");
    let keys = plane.send("GET", "/.well-known/evidence-keys.json", None, &[], None).await;
    assert_eq!(keys.problem(503), "EVIDENCE_UNAVAILABLE");
    close(&plane, &governor, &dispute).await;
}
