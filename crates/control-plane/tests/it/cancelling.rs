//! Calling off an export: waiting, half made, under way, and too late.

use serde_json::{Value, json};

use crate::directory::FakeDirectory;
use crate::harness::{Plane, Reply, Shop, text};
use crate::stage::{Another, Stage, UNITS, count, eventually, folder, history, order, until, variables};

async fn cancel(plane: &Plane, shop: &Shop, id: &str) -> Reply {
    plane.as_person(&shop.owner, "POST", &format!("/v1/exports/{id}/cancel"), Value::Null).await
}

async fn objects_are_gone(plane: &Plane, shop: &Shop, id: &str) {
    let folder = folder(plane, shop, id);
    eventually("the objects are deleted", async || {
        let left = std::fs::read_dir(&folder).map_or(0, Iterator::count);
        let pending = "SELECT count(*) AS n FROM jobs
                       WHERE kind IN ('export-pack', 'expire-export') AND state IN ('queued', 'running')
                       AND run_at < now() + interval '1 hour'";
        (left == 0 && count(plane, pending).await == 0).then_some(())
    })
    .await;
    assert_eq!(count(plane, "SELECT count(*) AS n FROM export_part").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_a_waiting_export_ends_it_and_a_half_made_one_is_deleted() {
    let directory = FakeDirectory::start().await;
    let plane = Plane::start_with(&[("EXPORT_PART_UNITS", "50")]).await;
    let shop = plane.shop().await;
    let worker = Another::beside(&plane, &variables(&directory.url())).await;
    let batch = order(&plane, &shop, UNITS as u32).await;
    until(&plane, &shop, &format!("/v1/batches/{batch}"), "sealed").await;
    worker.end().await;
    let exports = format!("/v1/batches/{batch}/exports");
    let ask = async || {
        let asked = plane.as_person(&shop.owner, "POST", &exports, json!({})).await.expect(202);
        text(&asked, "id").to_owned()
    };

    let waiting = ask().await;
    let reply = cancel(&plane, &shop, &waiting).await.expect(200);
    assert_eq!((text(&reply, "state"), text(&reply, "id")), ("cancelled", waiting.as_str()));

    // A folder stands where the second part belongs: one part is made, and the job waits for its next attempt.
    let half = ask().await;
    let objects = folder(&plane, &shop, &half);
    std::fs::create_dir_all(objects.join("part-0002.zip/occupied")).unwrap();
    let worker = Another::beside(&plane, &variables(&directory.url())).await;
    eventually("the first part is finished", async || {
        (count(&plane, "SELECT count(*) AS n FROM export_part").await == 1).then_some(())
    })
    .await;
    worker.end().await;
    std::fs::remove_dir_all(objects.join("part-0002.zip")).unwrap();
    assert_eq!(text(&cancel(&plane, &shop, &half).await.expect(200), "state"), "cancelled");
    assert!(objects.join("part-0001.zip").exists(), "nobody works yet");

    let _worker = Another::beside(&plane, &variables(&directory.url())).await;
    objects_are_gone(&plane, &shop, &half).await;
    for id in [&waiting, &half] {
        let path = format!("/v1/exports/{id}");
        assert_eq!(text(&plane.get(&shop.owner, &path).await.expect(200), "state"), "cancelled");
        let refused = plane.get(&shop.owner, &format!("{path}/download")).await;
        assert_eq!(refused.problem(409), "EXPORT_CANCELLED");
    }
    let history = history(&plane, &shop, &batch).await;
    assert_eq!(
        history[3..],
        ["export.created", "export.cancelled", "export.created", "export.cancelled"],
        "cancelling is all that happened"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_a_running_export_stops_its_worker_and_leaves_nothing() {
    let directory = FakeDirectory::start().await;
    let plane = crate::stage::working(&directory.url()).await;
    let shop = plane.shop().await;
    let batch = order(&plane, &shop, 20_000).await;
    until(&plane, &shop, &format!("/v1/batches/{batch}"), "sealed").await;
    let asked = json!({ "formats": ["csv", "svg", "png", "pdf"] });
    let view = plane
        .as_person(&shop.owner, "POST", &format!("/v1/batches/{batch}/exports"), asked)
        .await
        .expect(202);
    let id = text(&view, "id");
    eventually("two of four hundred parts are finished", async || {
        (count(&plane, "SELECT count(*) AS n FROM export_part").await >= 2).then_some(())
    })
    .await;
    let cancelled = cancel(&plane, &shop, id).await.expect(200);
    assert_eq!(text(&cancelled, "state"), "cancelled");
    objects_are_gone(&plane, &shop, id).await;
    let ended = "SELECT count(*) AS n FROM jobs WHERE kind = 'export-pack' AND state = 'cancelled'
                 AND done < total";
    assert_eq!(count(&plane, ended).await, 1, "the worker was stopped half way");
    let after = plane.get(&shop.owner, &format!("/v1/exports/{id}")).await.expect(200);
    assert_eq!(text(&after, "state"), "cancelled");
    assert!(after.get("failure").is_none(), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_again_changes_nothing_and_a_finished_export_refuses() {
    let directory = FakeDirectory::start().await;
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let worker = Another::beside(&plane, &variables(&directory.url())).await;
    let batch = order(&plane, &shop, 10).await;
    until(&plane, &shop, &format!("/v1/batches/{batch}"), "sealed").await;
    worker.end().await;
    let exports = format!("/v1/batches/{batch}/exports");
    let asked = plane.as_person(&shop.owner, "POST", &exports, json!({})).await.expect(202);
    let id = text(&asked, "id");
    let both = tokio::join!(cancel(&plane, &shop, id), cancel(&plane, &shop, id));
    for reply in [both.0, both.1, cancel(&plane, &shop, id).await] {
        assert_eq!(text(&reply.expect(200), "state"), "cancelled");
    }
    let audited =
        "SELECT count(*) AS n FROM audit_entry WHERE action = 'EXPORT_CANCELLED' AND outcome = 'allowed'
                   AND resource_kind = 'export'";
    assert_eq!(count(&plane, audited).await, 1);
    let events = "SELECT count(*) AS n FROM batch_event WHERE kind = 'export.cancelled'";
    assert_eq!(count(&plane, events).await, 1);

    for (state, more) in
        [("ready", ""), ("expired", ""), ("failed", ", failure_code = 'X', failure_message = 'x'")]
    {
        plane.sql(&format!("UPDATE export SET state = '{state}'{more}")).await;
        let refused = cancel(&plane, &shop, id).await;
        assert_eq!((refused.problem(409), &refused.body["state"]), ("EXPORT_CLOSED", &json!(state)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_a_ready_export_leaves_it_to_be_downloaded() {
    let stage = Stage::set().await;
    let (id, _) = stage.ready(json!({ "formats": ["csv"] })).await;
    assert_eq!(cancel(&stage.plane, &stage.shop, &id).await.problem(409), "EXPORT_CLOSED");
    let parts = stage.download(&id).await["parts"].clone();
    assert!(!stage.fetch(&parts[0]["url"]).await.is_empty());
}
