//! What is done to a batch after it was asked for: cancelled, recalled, shown, robbed of its secret.

use mintmark_codes::{Code, CodeDigest};
use mintmark_wire::directory::v1::{ActivationMode, PublicationState};
use serde_json::{Value, json};

use crate::directory::{FakeDirectory, Trouble};
use crate::harness::{Person, Plane, Reply, Shop, text};
use crate::stage::{count, eventually, history, order, until, working};

async fn stage() -> (Plane, FakeDirectory, Shop) {
    let directory = FakeDirectory::start().await;
    let plane = working(&directory.url()).await;
    let shop = plane.shop().await;
    (plane, directory, shop)
}

/// A batch that is minted and sealed.
async fn sealed(plane: &Plane, shop: &Shop, units: u32) -> String {
    let batch = order(plane, shop, units).await;
    until(plane, shop, &path(&batch, ""), "sealed").await;
    batch
}

fn path(batch: &str, rest: &str) -> String {
    format!("/v1/batches/{batch}{rest}")
}

async fn post(plane: &Plane, who: &Person, batch: &str, rest: &str, body: Value) -> Reply {
    plane.as_person(who, "POST", &path(batch, rest), body).await
}

async fn audited(plane: &Plane, action: &str, batch: &str) -> i64 {
    let (action, batch) = (action.to_owned(), batch.to_owned());
    count(
        plane,
        &format!(
            "SELECT count(*) AS n FROM audit_entry WHERE action = '{action}' AND resource_id = '{batch}'"
        ),
    )
    .await
}

fn state(directory: &FakeDirectory, shop: &Shop, batch: &str) -> i32 {
    directory.publication(&shop.owner.tenant, batch).unwrap().state
}

/// Who is written down for the newest event of a kind.
async fn actor_of(plane: &Plane, shop: &Shop, batch: &str, kind: &str) -> String {
    let events = plane.get(&shop.owner, &path(batch, "/events")).await.expect(200);
    let event =
        events["items"].as_array().unwrap().iter().find(|event| event["kind"] == kind).unwrap().clone();
    assert!(event["at"].is_string());
    text(&event, "actor").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_a_batch_that_waits_is_at_once_and_once() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let batch = order(&plane, &shop, 5).await;
    for _ in 0..2 {
        let view = post(&plane, &shop.owner, &batch, "/cancel", Value::Null).await.expect(200);
        assert_eq!(view["state"], "cancelled");
    }
    assert_eq!(history(&plane, &shop, &batch).await, ["batch.created", "batch.cancelled"]);
    assert_eq!(audited(&plane, "BATCH_CANCELLED", &batch).await, 1);
    assert_eq!(count(&plane, "SELECT count(*) AS n FROM jobs WHERE state = 'cancelled'").await, 1);
    assert_eq!(
        count(&plane, "SELECT count(*) AS n FROM jobs WHERE kind = 'abort-publication'").await,
        0,
        "no worker ever had it, so there is no publication"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_a_batch_that_is_minted_ends_it_in_the_name_of_who_asked() {
    let (plane, directory, shop) = stage().await;
    let admin = plane.person(&shop.owner.tenant, false).await;
    plane.grant(&admin, &shop.brand, "admin").await;
    directory.hold(true);
    let batch = order(&plane, &shop, 2_000).await;
    let full = async || {
        directory.publication(&shop.owner.tenant, &batch).filter(|publication| publication.arrived.len() >= 4)
    };
    eventually("the window is full", full).await;
    for _ in 0..2 {
        let reply = post(&plane, &admin, &batch, "/cancel", Value::Null).await;
        assert!(matches!(reply.status, 200 | 202), "{reply:?}");
    }
    until(&plane, &shop, &path(&batch, ""), "cancelled").await;
    assert_eq!(state(&directory, &shop, &batch), i32::from(PublicationState::Aborted));
    post(&plane, &admin, &batch, "/cancel", Value::Null).await.expect(200);
    let kinds = ["batch.created", "batch.minting", "batch.cancel_requested", "batch.cancelled"];
    assert_eq!(history(&plane, &shop, &batch).await, kinds);
    let by = format!("user:{}", admin.id);
    assert_eq!(actor_of(&plane, &shop, &batch, "batch.cancelled").await, by);
    assert_eq!(audited(&plane, "BATCH_CANCEL_REQUESTED", &batch).await, 1);
    assert_eq!(audited(&plane, "BATCH_CANCELLED", &batch).await, 1);
}

/// A batch whose worker failed and whose next attempt is an hour away.
async fn between_attempts(plane: &Plane, shop: &Shop) -> String {
    let batch = order(plane, shop, 150).await;
    eventually("the job waits for its next attempt", async || {
        plane
            .sql("UPDATE jobs SET run_at = now() + interval '1 hour' WHERE state = 'queued' AND attempts > 0")
            .await;
        let waiting = "SELECT count(*) AS n FROM jobs WHERE kind = 'mint-batch' AND state = 'queued'
                       AND run_at > now() + interval '30 minutes'";
        (count(plane, waiting).await == 1).then_some(())
    })
    .await;
    let view = plane.get(&shop.owner, &path(&batch, "")).await.expect(200);
    assert_eq!(view["state"], "minting");
    batch
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_between_two_attempts_gives_the_open_publication_up() {
    let (plane, directory, shop) = stage().await;
    directory.trouble(Trouble::RefuseChunk(1, "DIRECTORY_AWAY"));
    let batch = between_attempts(&plane, &shop).await;
    assert_eq!(state(&directory, &shop, &batch), i32::from(PublicationState::Open));
    let view = post(&plane, &shop.owner, &batch, "/cancel", Value::Null).await.expect(200);
    assert_eq!(view["state"], "cancelled");
    eventually("the publication is aborted", async || {
        (state(&directory, &shop, &batch) == i32::from(PublicationState::Aborted)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_what_was_sealed_unheard_has_it_recalled() {
    let (plane, directory, shop) = stage().await;
    directory.trouble(Trouble::LoseSealAnswers(1_000));
    let batch = between_attempts(&plane, &shop).await;
    assert_eq!(state(&directory, &shop, &batch), i32::from(PublicationState::Sealed));
    post(&plane, &shop.owner, &batch, "/cancel", Value::Null).await.expect(200);
    eventually("the publication is recalled", async || {
        (state(&directory, &shop, &batch) == i32::from(PublicationState::Revoked)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_that_comes_after_the_seal_is_too_late() {
    let (plane, directory, shop) = stage().await;
    directory.trouble(Trouble::HangAtSeal);
    let batch = order(&plane, &shop, 150).await;
    let sealed = i32::from(PublicationState::Sealed);
    eventually("the directory has sealed", async || {
        directory.publication(&shop.owner.tenant, &batch).filter(|publication| publication.state == sealed)
    })
    .await;
    let view = post(&plane, &shop.owner, &batch, "/cancel", Value::Null).await.expect(202);
    assert_eq!(view["state"], "minting");
    until(&plane, &shop, &path(&batch, ""), "sealed").await;
    assert_eq!(state(&directory, &shop, &batch), sealed);
    assert_eq!(audited(&plane, "BATCH_CANCELLED", &batch).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_a_batch_that_is_closed_says_what_to_do() {
    let (plane, directory, shop) = stage().await;
    let batch = sealed(&plane, &shop, 20).await;
    let reply = post(&plane, &shop.owner, &batch, "/cancel", Value::Null).await;
    assert_eq!(reply.problem(409), "BATCH_SEALED");
    assert!(text(&reply.body, "detail").contains("revoke"), "{}", reply.body);
    directory.trouble(Trouble::RefuseOpen("SERIALS_OVERLAP"));
    let batch = order(&plane, &shop, 20).await;
    until(&plane, &shop, &path(&batch, ""), "failed").await;
    assert_eq!(post(&plane, &shop.owner, &batch, "/cancel", Value::Null).await.problem(409), "BATCH_FAILED");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoke_recalls_a_sealed_batch_once_and_for_ever() {
    let (plane, directory, shop) = stage().await;
    let batch = sealed(&plane, &shop, 30).await;
    let reason = json!({ "reason": "the ink fades" });
    let view = post(&plane, &shop.owner, &batch, "/revoke", reason.clone()).await.expect(200);
    assert_eq!(view["state"], "revoked");
    assert!(view["revokedAt"].is_string() && view["sealedAt"].is_string(), "{view}");
    assert_eq!(state(&directory, &shop, &batch), i32::from(PublicationState::Revoked));
    let again = post(&plane, &shop.owner, &batch, "/revoke", json!({ "reason": "again" })).await.expect(200);
    assert_eq!(again, view);
    let kinds = ["batch.created", "batch.minting", "batch.sealed", "batch.revoked"];
    assert_eq!(history(&plane, &shop, &batch).await, kinds);
    let events = plane.get(&shop.owner, &path(&batch, "/events")).await.expect(200);
    assert_eq!(events["items"][0]["detail"], reason);
    assert_eq!(audited(&plane, "REVOCATION_REQUESTED", &batch).await, 1);
    assert_eq!(audited(&plane, "BATCH_REVOKED", &batch).await, 1);
    let export = post(&plane, &shop.owner, &batch, "/exports", json!({})).await;
    assert_eq!(export.problem(409), "BATCH_NOT_SEALED");
    assert_eq!(post(&plane, &shop.owner, &batch, "/cancel", Value::Null).await.problem(409), "BATCH_SEALED");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoke_without_the_directory_changes_nothing_and_can_be_repeated() {
    let addr = format!("127.0.0.1:{}", mintmark_devstack::free_port());
    let plane = Plane::start_with(&[("DIRECTORY_GRPC_URL", &format!("http://{addr}"))]).await;
    let shop = plane.shop().await;
    let batch = order(&plane, &shop, 3).await;
    plane.sql("UPDATE batch SET state = 'sealed', sealed_at = now(), partition_id = 709").await;
    let reason = json!({ "reason": "recall" });
    let reply = post(&plane, &shop.owner, &batch, "/revoke", reason.clone()).await;
    assert_eq!(reply.problem(503), "DIRECTORY_UNAVAILABLE");
    assert!(reply.header("retry-after").is_some());
    let view = plane.get(&shop.owner, &path(&batch, "")).await.expect(200);
    assert_eq!((&view["state"], view.get("revokedAt")), (&json!("sealed"), None));
    assert_eq!(history(&plane, &shop, &batch).await, ["batch.created"]);
    // It is back, and was restored from a backup that knows nothing of this batch.
    let _directory = FakeDirectory::start_at(addr.parse().unwrap()).await;
    let unknown = eventually("the directory is reached", async || {
        let reply = post(&plane, &shop.owner, &batch, "/revoke", reason.clone()).await;
        (reply.status != 503).then_some(reply)
    })
    .await;
    assert_eq!(unknown.problem(409), "PUBLICATION_UNKNOWN");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoke_is_for_published_batches_and_wants_a_reason() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let batch = order(&plane, &shop, 3).await;
    let codes = json!({ "codes": ["P5EFA11P6MBB22HP81V1"], "reason": "lost" });
    for (rest, body) in [("/revoke", json!({ "reason": "lost" })), ("/codes/revoke", codes)] {
        let reply = post(&plane, &shop.owner, &batch, rest, body).await;
        assert_eq!(reply.problem(409), "BATCH_NOT_SEALED");
        assert!(text(&reply.body, "detail").contains("cancel"), "{}", reply.body);
    }
    for body in [json!({ "reason": " " }), json!({ "reason": "x".repeat(501) })] {
        let reply = post(&plane, &shop.owner, &batch, "/revoke", body).await;
        assert_eq!((reply.problem(400), &reply.body["field"]), ("REASON_REQUIRED", &json!("reason")));
    }
    for codes in [json!([]), json!(vec!["P5EFA11P6MBB22HP81V1"; 1_001])] {
        let body = json!({ "codes": codes, "reason": "lost" });
        let reply = post(&plane, &shop.owner, &batch, "/codes/revoke", body).await;
        assert_eq!(reply.problem(400), "CODES_OUT_OF_RANGE");
    }
    for codes in
        [json!(["P5EFA11P6MBB22HP81V"]), json!("P5EFA11P6MBB22HP81V1"), json!([["P5EFA11P6MBB22HP81V1"]])]
    {
        let body = json!({ "codes": codes, "reason": "lost" });
        let reply = post(&plane, &shop.owner, &batch, "/codes/revoke", body).await;
        assert_eq!(reply.status, 400);
        assert!(!reply.body.to_string().contains("EFA11"), "{}", reply.body);
    }
}

/// The whole code of a unit.
async fn reveal(plane: &Plane, who: &Person, batch: &str, serial: u64) -> Value {
    post(plane, who, batch, &format!("/tokens/{serial}/reveal"), Value::Null).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_codes_are_those_of_the_named_batch_and_are_written_nowhere() {
    let (plane, directory, shop) = stage().await;
    let (batch, other) = (sealed(&plane, &shop, 20).await, sealed(&plane, &shop, 20).await);
    let mine = reveal(&plane, &shop.owner, &batch, 3).await;
    let foreign = reveal(&plane, &shop.owner, &other, 21).await;
    let codes = json!([text(&mine, "grouped").to_lowercase(), mine["code"], foreign["code"]]);
    let body = json!({ "codes": codes, "reason": "stolen reel" });
    let first = post(&plane, &shop.owner, &batch, "/codes/revoke", body.clone()).await.expect(200);
    assert_eq!(first, json!({ "revoked": 1, "alreadyRevoked": 0, "unmatched": 1 }));
    let second = post(&plane, &shop.owner, &batch, "/codes/revoke", body).await.expect(200);
    assert_eq!(second, json!({ "revoked": 0, "alreadyRevoked": 1, "unmatched": 1 }));

    let digest = *CodeDigest::of(&Code::parse(text(&mine, "code")).unwrap()).as_bytes();
    let publication = directory.publication(&shop.owner.tenant, &batch).unwrap();
    assert_eq!(publication.revoked.into_iter().collect::<Vec<_>>(), [digest]);
    assert!(directory.publication(&shop.owner.tenant, &other).unwrap().revoked.is_empty());
    assert_eq!(audited(&plane, "CODES_REVOKED", &batch).await, 2);
    let events = plane.get(&shop.owner, &path(&batch, "/events")).await.expect(200);
    assert_eq!(events["items"][1]["kind"], "batch.codes_revoked");
    assert_eq!(events["items"][1]["detail"]["revoked"], 1);
    assert_eq!(events["items"][1]["detail"]["reason"], "stolen reel");
    let code = text(&mine, "code");
    for table in ["audit_entry", "batch_event", "batch", "jobs", "idempotency"] {
        let anywhere = format!("SELECT count(*) AS n FROM {table} t WHERE upper(t::text) LIKE '%{code}%'");
        assert_eq!(count(&plane, &anywhere).await, 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reveal_shows_the_code_that_was_published_and_is_written_down() {
    let (plane, directory, shop) = stage().await;
    let member = plane.person(&shop.owner.tenant, false).await;
    plane.grant(&member, &shop.brand, "member").await;
    sealed(&plane, &shop, 10).await;
    let batch = sealed(&plane, &shop, 10).await;
    let reply = post(&plane, &member, &batch, "/tokens/12/reveal", Value::Null).await;
    assert_eq!(reply.header("cache-control"), Some("private, no-store"));
    let shown = reply.expect(200);
    assert_eq!(shown["serial"], 12);
    let code = Code::parse(text(&shown, "code")).unwrap();
    assert_eq!(text(&shown, "grouped"), code.grouped());
    let view = plane.get(&member, &path(&batch, "")).await.expect(200);
    let uri = format!("https://id.example/01/{}/21/{}", text(&view, "gtin"), code.as_str());
    assert_eq!(text(&shown, "uri"), uri);
    let tokens = plane.get(&member, &path(&batch, "/tokens")).await.expect(200);
    assert_eq!(text(&tokens["items"][1], "maskedCode"), code.masked());
    let digests = directory.publication(&shop.owner.tenant, &batch).unwrap().digests();
    assert_eq!(&digests[1], CodeDigest::of(&code).as_bytes());

    let events = plane.get(&member, &path(&batch, "/events")).await.expect(200);
    let newest = &events["items"][0];
    assert_eq!((&newest["kind"], &newest["detail"]), (&json!("code.revealed"), &json!({ "serial": 12 })));
    assert_eq!(text(newest, "actor"), format!("user:{}", member.id));
    assert_eq!(audited(&plane, "CODE_REVEALED", &batch).await, 1);
    for serial in ["10", "21", "0", "-1", "x", "18446744073709551616"] {
        let rest = format!("/tokens/{serial}/reveal");
        assert_eq!(
            post(&plane, &member, &batch, &rest, Value::Null).await.problem(404),
            "NOT_FOUND",
            "{serial}"
        );
    }
    assert_eq!(audited(&plane, "CODE_REVEALED", &batch).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn reveal_before_the_batch_is_published_is_refused() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let batch = order(&plane, &shop, 3).await;
    plane.sql("UPDATE batch SET partition_id = 709, state = 'minting'").await;
    let reply = post(&plane, &shop.owner, &batch, "/tokens/1/reveal", Value::Null).await;
    assert_eq!(reply.problem(409), "BATCH_NOT_SEALED");
}

#[tokio::test(flavor = "multi_thread")]
async fn destroyed_secret_ends_lists_reveals_and_exports_for_ever() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let batch = order(&plane, &shop, 3).await;
    let yes = json!({ "confirm": batch });
    let destroy =
        async |body: &Value| post(&plane, &shop.owner, &batch, "/secret/destroy", body.clone()).await;
    assert_eq!(destroy(&yes).await.problem(409), "BATCH_OPEN");
    plane.sql("UPDATE batch SET state = 'sealed', sealed_at = now(), partition_id = 709").await;
    assert_eq!(destroy(&json!({ "confirm": "yes" })).await.problem(400), "CONFIRMATION_REQUIRED");
    let export =
        post(&plane, &shop.owner, &batch, "/exports", json!({ "formats": ["csv"] })).await.expect(202);
    assert_eq!(destroy(&yes).await.problem(409), "EXPORT_UNDER_WAY");
    plane.sql("UPDATE export SET state = 'failed', failure_code = 'X', failure_message = 'x'").await;

    for _ in 0..2 {
        let view = destroy(&yes).await.expect(200);
        assert_eq!(view["state"], "sealed");
        assert!(view["secretDestroyedAt"].is_string());
    }
    assert_eq!(audited(&plane, "BATCH_SECRET_DESTROYED", &batch).await, 1);
    let kept =
        "SELECT count(*) AS n FROM batch WHERE wrapped_secret IS NOT NULL OR secret_key_id IS NOT NULL";
    assert_eq!(count(&plane, kept).await, 0);
    let tokens = plane.get(&shop.owner, &path(&batch, "/tokens")).await.expect(200);
    let serials = json!([1, 2, 3].map(|serial| json!({ "serial": serial, "maskedCode": null })));
    assert_eq!(tokens["items"], serials);
    let reveal = post(&plane, &shop.owner, &batch, "/tokens/1/reveal", Value::Null).await;
    assert_eq!(reveal.problem(409), "BATCH_SECRET_DESTROYED");
    let again = post(&plane, &shop.owner, &batch, "/exports", json!({})).await;
    assert_eq!(again.problem(409), "BATCH_SECRET_DESTROYED");
    plane.get(&shop.owner, &format!("/v1/exports/{}", text(&export, "id"))).await.expect(200);
    let kinds = ["batch.created", "export.created", "batch.secret_destroyed"];
    assert_eq!(history(&plane, &shop, &batch).await, kinds);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_replayed_after_the_secret_is_gone_fail_with_that_reason() {
    let (plane, directory, shop) = stage().await;
    directory.trouble(Trouble::RefuseChunkOnce(0, "CODE_EXISTS"));
    let batch = order(&plane, &shop, 30).await;
    until(&plane, &shop, &path(&batch, ""), "failed").await;
    post(&plane, &shop.owner, &batch, "/secret/destroy", json!({ "confirm": batch })).await.expect(200);
    let job = crate::stage::job(&plane, "mint-batch").await;
    mintmark_jobs::replay(&mut *crate::stage::connection(&plane).await, job).await.unwrap();
    let dead =
        "SELECT count(*) AS n FROM jobs WHERE state = 'dead' AND last_error LIKE 'BATCH_SECRET_DESTROYED%'";
    eventually("the job is given up", async || (count(&plane, dead).await == 1).then_some(())).await;
    let view = plane.get(&shop.owner, &path(&batch, "")).await.expect(200);
    assert_eq!(view["state"], "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn confirmed_scan_is_what_the_directory_hears() {
    let (plane, directory, shop) = stage().await;
    let wanted = json!({ "productId": shop.product, "units": 3, "mode": "confirmed_scan" });
    let view = plane.order(&shop.owner, &shop.brand, "key", &wanted).await.expect(202);
    assert_eq!(view["mode"], "confirmed_scan");
    let batch = text(&view, "id");
    until(&plane, &shop, &path(batch, ""), "sealed").await;
    let publication = directory.publication(&shop.owner.tenant, batch).unwrap();
    assert_eq!(publication.mode, i32::from(ActivationMode::ConfirmedScan));
}
