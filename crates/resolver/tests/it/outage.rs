//! The database goes away and comes back: nothing genuine is called unknown, nothing unknown genuine, nothing hangs.

use std::time::{Duration, Instant};

use mintmark_wire::directory::v1::ActivationMode;
use serde_json::json;

use crate::stage::{Stage, codes, link};

#[tokio::test(flavor = "multi_thread")]
async fn scan_without_the_database_cannot_be_confirmed() {
    let stage = Stage::new().await;
    let superuser = stage.superuser().await;
    let sealed = stage.sealed(stage.product(None).await, ActivationMode::Static, 1, 4).await;
    let cached = link(&sealed[0]);
    stage.scan.becomes(&cached, "genuine").await;
    let limit = async |connections: i32| {
        let name = stage.db.name();
        superuser
            .batch_execute(&format!("ALTER DATABASE {name} CONNECTION LIMIT {connections}"))
            .await
            .unwrap();
    };
    limit(0).await;
    superuser
        .batch_execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'resolver_%' AND datname = current_database()")
        .await
        .unwrap();

    let asked = Instant::now();
    for code in [sealed[1], codes(0, 1)[0]] {
        let (status, view) = stage.scan.json(&link(&code)).await;
        assert_eq!((status, view), (503, json!({"status": "unconfirmed"})), "neither genuine nor unknown");
    }
    assert!(asked.elapsed() < Duration::from_secs(5));
    let page = stage.scan.get(&link(&sealed[1])).send().await.unwrap();
    assert_eq!(page.status(), 503);
    assert!(page.headers().contains_key("retry-after"));
    assert!(page.text().await.unwrap().contains("Cannot be confirmed now"));

    assert_eq!(
        stage.scan.status(&cached).await,
        "genuine",
        "the cache and a state that is fresh enough still vouch"
    );
    let stale = crate::within(Duration::from_secs(13), || async {
        stage.scan.status(&cached).await == "unconfirmed"
    });
    assert!(stale.await, "a state older than ten seconds vouches for nothing");
    assert!(!stage.scan.context.health.ready());

    limit(-1).await;
    stage.scan.becomes(&link(&sealed[1]), "genuine").await;
    crate::eventually("it is ready again", || async { stage.scan.context.health.ready() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_hangs_is_given_up_after_two_seconds() {
    let stage = Stage::new().await;
    let sealed = stage.sealed(stage.product(None).await, ActivationMode::Static, 1, 4).await;
    stage.scan.becomes(&link(&sealed[0]), "genuine").await;
    let mut superuser = stage.superuser().await;
    let lock = superuser.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE code_0000 IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let asked = Instant::now();
    assert_eq!(stage.scan.status(&link(&sealed[1])).await, "unconfirmed");
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    lock.rollback().await.unwrap();
    stage.scan.becomes(&link(&sealed[1]), "genuine").await;
}
