//! Yesterday's backup comes back: by `pg_dump` and `pg_restore`, as an operator does it.

use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::estate::{Estate, Running};
use crate::eventually;
use crate::shop::{Shop, text};

/// All that the directory has of publications: a refused batch leaves no trace in it.
async fn published(resolver: &Client) -> String {
    let query = "SELECT (SELECT string_agg(p::text, ';' ORDER BY id) FROM publication p)
        || (SELECT string_agg(c::text, ';' ORDER BY c::text) FROM publication_chunk c)
        || (SELECT string_agg(p::text, ';') FROM partition p) || (SELECT count(*) FROM code_0000)";
    resolver.query_one(query, &[]).await.unwrap().get(0)
}

async fn history(estate: &Estate, plane: &Running, shop: &Shop, batch: &str) -> Vec<(String, Value)> {
    let path = format!("/v1/batches/{batch}/events");
    let events = estate.call(plane, "GET", &path, &shop.owner.session, None, &Value::Null).await.expect(200);
    let events = events["items"].as_array().unwrap().iter().rev();
    events.map(|event| (text(event, "kind"), event["detail"].clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_from_yesterday_cannot_issue_published_serials_again_and_then_goes_on_behind_them() {
    let estate = Estate::new().await;
    let (_directory, control, scan) =
        (estate.directory().await, estate.control(&[]).await, estate.scan().await);
    let shop = estate.shop(&control).await;
    estate.sealed(&control, &shop, 10, &[&scan]).await;
    let backup = estate.folder.path().join("control.dump");
    estate.control_db.dump(&backup);
    let (_, lost) = estate.sealed(&control, &shop, 20, &[&scan]).await;
    control.kill().await;
    estate.control_db.restore(&backup).await;

    let control = estate.control(&[]).await;
    let resolver = estate.resolver().await;
    let before = published(&resolver).await;
    let order = shop.order(5);
    let asked = estate.order(&control, &shop.owner, &shop.brand, "key", &order).await.expect(202);
    assert_eq!(asked["firstSerial"], 11, "this database knows no better");
    let refused = text(&asked, "id");
    let view = estate.until(&control, &shop, &refused, "failed").await;
    assert_eq!(view["failure"]["code"], "SERIALS_OVERLAP");
    let sentence = text(&view["failure"], "message");
    assert!(sentence.contains("restored") && sentence.contains("create a new batch"), "{sentence}");
    assert_eq!(published(&resolver).await, before, "nothing of it is in the directory");
    for code in &lost {
        assert_eq!(estate.standing(&scan, code).await, "genuine", "what was sold stays genuine");
    }
    let events = history(&estate, &control, &shop, &refused).await;
    let kinds: Vec<&str> = events.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["batch.created", "batch.minting", "batch.serials_moved", "batch.failed"]);
    assert_eq!(events[2].1, json!({ "nextSerial": 31 }));

    // What the sentence says to do works at the first try, and the key of the failed order still tells of that.
    let (next, codes) = estate.sealed(&control, &shop, 5, &[&scan]).await;
    let view = estate.view(&control, &shop, &next).await;
    assert_eq!((&view["firstSerial"], &view["lastSerial"]), (&json!(31), &json!(35)));
    assert!(codes.iter().all(|code| !lost.contains(code)));
    let again = estate.order(&control, &shop.owner, &shop.brand, "key", &order).await;
    assert_eq!((again.replayed, text(&again.expect(202), "id")), (true, refused));
    // The order after that is behind it, without another detour.
    let (last, _) = estate.sealed(&control, &shop, 1, &[&scan]).await;
    assert_eq!(estate.view(&control, &shop, &last).await["firstSerial"], 36);
}

async fn counted(estate: &Estate, plane: &Running, shop: &Shop, batch: &str) -> u64 {
    let path = format!("/v1/batches/{batch}/scans");
    let view = estate.call(plane, "GET", &path, &shop.owner.session, None, &Value::Null).await.expect(200);
    view["totals"]["scans"].as_u64().unwrap()
}

async fn becomes(estate: &Estate, plane: &Running, shop: &Shop, batch: &str, scans: u64) {
    eventually(&format!("the control plane counts {scans} scans"), async || {
        (counted(estate, plane, shop, batch).await == scans).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_of_scans_go_on_at_once_when_the_resolver_comes_back_from_a_backup() {
    let estate = Estate::new().await;
    let (directory, control, scan) =
        (estate.directory().await, estate.control(&[]).await, estate.scan().await);
    let shop = estate.shop(&control).await;
    let (batch, codes) = estate.sealed(&control, &shop, 20, &[&scan]).await;
    for code in &codes[..3] {
        estate.scan_code(&scan, code).await;
    }
    becomes(&estate, &control, &shop, &batch, 3).await;
    let backup = estate.folder.path().join("resolver.dump");
    estate.resolver_db.dump(&backup);
    // Two sums after the backup, so that the cursor is two revisions beyond it.
    for (code, scans) in [(&codes[3], 4), (&codes[4], 5)] {
        estate.scan_code(&scan, code).await;
        becomes(&estate, &control, &shop, &batch, scans).await;
    }
    scan.kill().await;
    directory.kill().await;
    estate.resolver_db.restore(&backup).await;

    // The directory's counter passes the lost revisions before anybody pulls: the cursor alone could not tell.
    let (scan, resolver) = (estate.scan().await, estate.resolver().await);
    let directory = estate.directory().await;
    for code in &codes[5..9] {
        estate.scan_code(&scan, code).await;
    }
    becomes(&estate, &control, &shop, &batch, 7).await;
    let query = "SELECT sum(scans)::bigint FROM scan_summary";
    let sums = resolver.query_one(query, &[]).await.unwrap().get::<_, i64>(0);
    assert_eq!(sums, 7, "three of before the backup and four of after it");
    drop(directory);
}
