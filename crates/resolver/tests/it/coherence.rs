//! Two scan roles on one database say the same within two seconds, and nothing when they cannot know (DESIGN §6).

use std::time::{Duration, Instant};

use mintmark_wire::directory::v1::ActivationMode;

use crate::stage::{Scan, Stage, link, terms};

const STATIC: ActivationMode = ActivationMode::Static;

async fn both_become(here: &Scan, there: &Scan, path: &str, status: &str) {
    tokio::join!(here.becomes(path, status), there.becomes(path, status));
}

#[tokio::test(flavor = "multi_thread")]
async fn recall_of_a_batch_is_seen_everywhere_within_two_seconds() {
    let stage = Stage::new().await;
    let there = Scan::start(&stage.db, Vec::new()).await;
    let terms = terms(stage.product(None).await, STATIC, 1, 4, 4);
    let codes = stage.published(&terms).await;
    stage.seal(&terms.batch_id, 1).await.unwrap();
    for code in &codes {
        both_become(&stage.scan, &there, &link(code), "genuine").await;
    }
    stage.revoke_batch(&terms.batch_id).await.unwrap();
    for code in &codes {
        both_become(&stage.scan, &there, &link(code), "recalled").await;
    }
    let late = Scan::start(&stage.db, Vec::new()).await;
    assert_eq!(
        late.status(&link(&codes[0])).await,
        "recalled",
        "a replica that starts later knows it at once"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn recall_of_a_code_is_seen_everywhere_within_two_seconds_and_of_that_code_alone() {
    let stage = Stage::new().await;
    let there = Scan::start(&stage.db, Vec::new()).await;
    let terms = terms(stage.product(None).await, ActivationMode::FirstScan, 1, 4, 4);
    let codes = stage.published(&terms).await;
    stage.seal(&terms.batch_id, 1).await.unwrap();
    both_become(&stage.scan, &there, &link(&codes[1]), "genuine").await;
    // Activated and in one cache: a recall beats that too.
    let (_, first) = stage.scan.json(&link(&codes[1])).await;
    assert_eq!(first["activation"]["state"], "activated_now");
    assert_eq!(stage.revoke_codes(&terms.batch_id, &codes[1..2]).await.unwrap(), [1, 0, 0]);
    both_become(&stage.scan, &there, &link(&codes[1]), "recalled").await;
    let late = Scan::start(&stage.db, Vec::new()).await;
    for replica in [&stage.scan, &there, &late] {
        assert_eq!(replica.status(&link(&codes[1])).await, "recalled");
        for other in [&codes[0], &codes[2], &codes[3]] {
            assert_eq!(replica.status(&link(other)).await, "genuine");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_asked_for_before_the_seal_is_genuine_everywhere_within_two_seconds_of_it() {
    let stage = Stage::new().await;
    let there = Scan::start(&stage.db, Vec::new()).await;
    let id = stage.product(None).await;
    let known = stage.sealed(id, STATIC, 1, 4).await;
    both_become(&stage.scan, &there, &link(&known[0]), "genuine").await;
    let terms = terms(id, STATIC, 5, 4, 4);
    let partition = stage.open(&terms).await.unwrap().partition;
    let codes = crate::stage::codes(partition, 4);
    let path = link(&codes[2]);
    for replica in [&stage.scan, &there] {
        assert_eq!(replica.status(&path).await, "unknown", "not published: the absence is cached");
    }
    stage.publish(crate::stage::chunks(&terms, &codes)).await.unwrap();
    for replica in [&stage.scan, &there] {
        assert_eq!(replica.status(&path).await, "unknown", "published, not sealed");
    }
    stage.seal(&terms.batch_id, 1).await.unwrap();
    both_become(&stage.scan, &there, &path, "genuine").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_cannot_follow_confirms_nothing_after_ten_seconds() {
    let stage = Stage::new().await;
    let codes = stage.sealed(stage.product(None).await, STATIC, 1, 4).await;
    let path = link(&codes[0]);
    stage.scan.becomes(&path, "genuine").await;
    // The counter cannot be read, so neither could a recall be seen. The code itself is in the cache.
    let mut superuser = stage.superuser().await;
    let blocked = superuser.transaction().await.unwrap();
    blocked.batch_execute("LOCK TABLE change_counter IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let since = Instant::now();
    let mut last_genuine = since;
    loop {
        match stage.scan.status(&path).await.as_str() {
            "genuine" => last_genuine = Instant::now(),
            status => break assert_eq!(status, "unconfirmed"),
        }
        assert!(
            since.elapsed() < Duration::from_secs(13),
            "a state older than ten seconds vouches for nothing"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(last_genuine - since > Duration::from_secs(5), "a short pause is bridged");
    assert!(last_genuine - since <= Duration::from_millis(10_500), "{:?}", last_genuine - since);
    let (status, _) = stage.scan.json(&path).await;
    assert_eq!(status, 503);
    blocked.rollback().await.unwrap();
    // The question that hangs is given up within two seconds, and the next one is answered.
    crate::eventually("it follows again", || async { stage.scan.status(&path).await == "genuine" }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn first_scan_by_two_hundred_at_once_over_two_replicas_has_one_winner() {
    let stage = Stage::new().await;
    let there = Scan::start(&stage.db, Vec::new()).await;
    let codes = stage.sealed(stage.product(None).await, ActivationMode::FirstScan, 1, 4).await;
    let path = link(&codes[0]);
    both_become(&stage.scan, &there, &path, "genuine").await;
    let replicas = [&stage.scan, &there];
    let views = futures::future::join_all((0..200).map(|at| replicas[at % 2].json(&path))).await;
    let winners: Vec<_> =
        views.iter().filter(|(_, view)| view["activation"]["state"] == "activated_now").collect();
    assert_eq!(winners.len(), 1);
    let at = &winners[0].1["activation"]["at"];
    assert!(
        views.iter().all(|(status, view)| *status == 200 && view["activation"]["at"] == *at),
        "everybody hears the same time: {views:?}"
    );
    let rows: i64 =
        stage.superuser().await.query_one("SELECT count(*) FROM activation", &[]).await.unwrap().get(0);
    assert_eq!(rows, 1);
}
