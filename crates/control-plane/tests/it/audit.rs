//! The audit: an entry for each act and each refusal, in step with what happened, and nothing in it about people.

use std::time::{Duration, Instant};

use diesel::QueryableByName;
use diesel::sql_types::Jsonb;
use diesel_async::RunQueryDsl;
use mintmark_audit::note::{Signer, Verifiers};
use mintmark_audit::proof::{Inclusion, OpenEntry};
use mintmark_audit::{SequencerConfig, sequencer};
use mintmark_auth::SigningKey;
use mintmark_control_plane::sequence::ORIGIN;
use mintmark_service::Context;
use mintmark_service::config::Reader;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::apart::Apart;
use crate::harness::{Plane, text};
use crate::stage::{connection, count};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Jsonb)]
    entry: Value,
}

/// What the table holds, in the form in which an entry is exported.
async fn entries(plane: &Plane) -> Vec<OpenEntry> {
    let sql = "SELECT jsonb_build_object('id', id, 'at', at, 'tenantId', tenant_id, 'actor', actor,
            'action', action, 'resourceKind', resource_kind, 'resourceId', resource_id, 'outcome', outcome,
            'traceId', trace_id, 'detail', detail, 'salt', encode(salt, 'hex'),
            'commitment', encode(commitment, 'hex')) AS entry
        FROM audit_entry ORDER BY audit_entry.at, id";
    let rows: Vec<Row> = diesel::sql_query(sql).load(&mut *connection(plane).await).await.unwrap();
    rows.into_iter().map(|row| serde_json::from_value(row.entry).unwrap()).collect()
}

async fn newest(plane: &Plane) -> OpenEntry {
    entries(plane).await.pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_act_has_an_entry_that_its_commitment_covers() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let tenant = shop.owner.tenant.clone();
    let member = plane.person(&tenant, false).await;
    let membership = plane.grant(&member, &shop.brand, "member").await;
    plane.admin("DELETE", &format!("/api/admin/memberships/{membership}"), Value::Null).await.expect(204);
    plane.admin("PATCH", &format!("/api/admin/tenants/{tenant}"), json!({ "tier": "pro" })).await.expect(200);
    plane
        .admin("PATCH", &format!("/api/admin/users/{}", member.id), json!({ "disabled": true }))
        .await
        .expect(200);
    let product = format!("/v1/products/{}", shop.product);
    plane.as_person(&shop.owner, "PATCH", &product, json!({ "name": "New" })).await.expect(200);
    plane.batch(&shop.owner, &shop.brand, &shop.product, 3).await;
    plane.sql("UPDATE batch SET state = 'sealed', sealed_at = now(), partition_id = 7").await;

    let rows = entries(&plane).await;
    let acts: Vec<&str> = rows.iter().map(|row| row.action.as_str()).collect();
    let expected = [
        "TENANT_CREATED",
        "USER_CREATED",
        "SESSION_MINTED",
        "BRAND_CREATED",
        "PRODUCT_CREATED",
        "USER_CREATED",
        "SESSION_MINTED",
        "MEMBERSHIP_GRANTED",
        "MEMBERSHIP_REMOVED",
        "TENANT_UPDATED",
        "USER_UPDATED",
        "PRODUCT_UPDATED",
        "BATCH_CREATED",
    ];
    assert_eq!(acts, expected);
    let person = format!("user:{}", shop.owner.id);
    for row in &rows {
        assert_eq!(row.tenant_id.as_deref(), Some(tenant.as_str()), "{}", row.action);
        let by_person = row.action.starts_with("BRAND")
            || row.action.starts_with("PRODUCT")
            || row.action == "BATCH_CREATED";
        assert_eq!(row.actor, if by_person { person.as_str() } else { "control-token" }, "{}", row.action);
        assert_eq!(row.outcome, "allowed");
        row.open().unwrap();
    }
    let mut salts: Vec<&[u8]> = rows.iter().map(|row| row.salt.0.as_slice()).collect();
    salts.sort_unstable();
    salts.dedup();
    assert_eq!(salts.len(), rows.len(), "each entry has a salt of its own");
    let pending = "SELECT count(*) AS n FROM audit_pending p JOIN audit_entry e ON e.id = p.entry_id";
    assert_eq!(count(&plane, pending).await, rows.len() as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_hold_nothing_that_people_wrote_about_themselves() {
    let plane = Plane::start().await;
    let tenant = plane.tenant().await;
    let new = json!({ "tenantId": tenant, "email": "ada@lovelace.example", "name": "Ada Lovelace" });
    let user = plane.admin("POST", "/api/admin/users", new).await.expect(201);
    let change = json!({ "name": "Countess Lovelace" });
    plane.admin("PATCH", &format!("/api/admin/users/{}", text(&user, "id")), change).await.expect(200);
    assert_eq!(newest(&plane).await.action, "USER_UPDATED");
    let told = "SELECT count(*) AS n FROM audit_entry e WHERE lower(e::text) LIKE '%lovelace%'";
    assert_eq!(count(&plane, told).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_written_down_with_what_was_attempted() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let colleague = plane.person(&shop.owner.tenant, false).await;
    let batch = plane.batch(&shop.owner, &shop.brand, &shop.product, 3).await;
    let batch = text(&batch, "id");
    let revoke = format!("/v1/batches/{batch}/revoke");
    plane.as_person(&colleague, "POST", &revoke, json!({ "reason": "mine" })).await.problem(403);
    let row = newest(&plane).await;
    assert_eq!((row.action.as_str(), row.outcome.as_str()), ("ACCESS_REFUSED", "refused"));
    assert_eq!((row.resource_kind.as_str(), row.resource_id.as_str()), ("batch", batch));
    assert_eq!(row.actor, format!("user:{}", colleague.id));
    assert_eq!(row.detail, json!({ "attempted": "revoke_batch", "needs": "brand admin" }));
    plane.as_person(&colleague, "POST", "/v1/brands", json!({ "name": "B" })).await.problem(403);
    assert_eq!(newest(&plane).await.detail["attempted"], "create_brand");

    let before = entries(&plane).await.len();
    let stranger = plane.shop().await.owner;
    let made = entries(&plane).await.len();
    plane.as_person(&stranger, "POST", &revoke, json!({ "reason": "mine" })).await.problem(404);
    assert_eq!(entries(&plane).await.len(), made, "what is not there is not refused");
    assert!(made > before);
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_that_cannot_be_audited_do_not_happen_and_refusals_stand() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let colleague = plane.person(&shop.owner.tenant, false).await;
    plane.sql("REVOKE INSERT ON audit_entry FROM control_app").await;
    let batch = json!({ "productId": shop.product, "units": 1, "mode": "static" });
    plane.order(&shop.owner, &shop.brand, "key", &batch).await.problem(500);
    plane.as_person(&shop.owner, "POST", "/v1/brands", json!({ "name": "B" })).await.problem(500);
    for table in ["batch", "jobs WHERE kind = 'mint-batch'", "idempotency"] {
        assert_eq!(count(&plane, &format!("SELECT count(*) AS n FROM {table}")).await, 0, "{table}");
    }
    assert_eq!(count(&plane, "SELECT count(*) AS n FROM brand").await, 1);
    plane.order(&colleague, &shop.brand, "key", &batch).await.problem(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_carry_the_trace_of_the_request() {
    // A plane in this process has no tracing, so another one serves on its database.
    let plane = Plane::start().await;
    let process = Apart::beside(&plane).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let created = client
        .post(format!("{}/api/admin/tenants", process.base))
        .bearer_auth(&plane.control)
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .json(&json!({ "id": "traced", "name": "Traced" }))
        .send()
        .await
        .unwrap();
    assert_eq!(created.status(), 201);
    let row = newest(&plane).await;
    assert_eq!((row.resource_id.as_str(), row.actor.as_str()), ("traced", "control-token"));
    assert_eq!(row.trace_id.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_entry_is_proven_to_its_own_tenant_alone() {
    let plane = Plane::start().await;
    let (shop, other) = (plane.shop().await, plane.shop().await);
    let list = plane.get(&shop.owner, "/v1/admin/audit-entries?action=BRAND_CREATED").await.expect(200);
    let entry = &list["items"][0];
    assert_eq!(entry["leaf"], Value::Null, "no sequencer was there yet");
    let path = format!("/v1/admin/audit-entries/{}/proof", text(entry, "id"));
    assert_eq!(plane.get(&shop.owner, &path).await.problem(409), "AUDIT_ENTRY_PENDING");

    let file = |name: &str| plane.folder.path().join(name);
    let key = SigningKey::generate_pem();
    let signer = Signer::from_pem(ORIGIN, &key).unwrap();
    std::fs::write(file("audit.pem"), key.as_bytes()).unwrap();
    std::fs::write(file("audit-keys.txt"), format!("{}\n", signer.verifier())).unwrap();
    let mut reader = Reader::from_pairs([
        ("APP_ENV", "test".to_owned()),
        ("CONTROL_SEQUENCER_DATABASE_URL", plane.db.url("control_sequencer")),
        ("AUDIT_CHECKPOINT_URL", format!("file://{}", file("checkpoints").display())),
        ("AUDIT_SIGNING_KEY_FILE", file("audit.pem").display().to_string()),
        ("AUDIT_VERIFIER_KEYS_FILE", file("audit-keys.txt").display().to_string()),
    ]);
    let config = SequencerConfig::read(&mut reader, "CONTROL_SEQUENCER_DATABASE_URL", ORIGIN);
    let (config, context) = (reader.finish(config).unwrap(), Context::for_tests("sequencer"));
    let running = tokio::spawn(sequencer::run(config, context.clone()));
    let signed = "SELECT count(*) AS n FROM audit_checkpoint WHERE size > 0";
    let started = Instant::now();
    while count(&plane, signed).await == 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "nothing was signed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let proof = plane.get(&shop.owner, &path).await.expect(200);
    let proof: Inclusion = serde_json::from_value(proof).unwrap();
    proof.verify(&Verifiers::from(signer.verifier().clone())).unwrap();
    let list = plane.get(&shop.owner, "/v1/admin/audit-entries?action=BRAND_CREATED").await.expect(200);
    let place = proof.entry.leaf.unwrap();
    let expected = json!({ "epoch": 1, "index": place.index, "tenantNumber": place.tenant_number });
    assert_eq!(list["items"][0]["leaf"], expected);

    plane.get(&other.owner, &path).await.problem(404);
    let member = plane.person(&shop.owner.tenant, false).await;
    plane.get(&member, &path).await.problem(403);
    plane.get(&shop.owner, &format!("/v1/admin/audit-entries/{}/proof", Uuid::nil())).await.problem(404);
    context.shutdown.trigger();
    running.await.unwrap().unwrap();
}
