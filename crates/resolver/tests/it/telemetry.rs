//! What scans leave behind: as little as it may be, and nothing by machines.

use std::time::Duration;

use mintmark_wire::directory::v1::ActivationMode;

use crate::stage::{Scan, Stage, codes, link};

type Row = (Option<i64>, String, String, Option<String>);

async fn rows(stage: &Stage) -> Vec<Row> {
    let query = "SELECT serial, outcome, device_class, network::text FROM scan_event ORDER BY id";
    let rows = stage.superuser().await.query(query, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_by_people_leave_a_row_with_a_truncated_address() {
    let mut stage = Stage::new().await;
    stage.scan = Scan::start(&stage.db, vec!["127.0.0.0/8"]).await;
    let sealed = stage.sealed(stage.product(None).await, ActivationMode::FirstScan, 1, 4).await;
    let path = link(&sealed[2]);
    stage.scan.becomes(&path, "genuine").await;
    for address in ["203.0.113.77", "2001:db8:1:2::3", "1.1.1.1, 198.51.100.9"] {
        stage.scan.get(&path).header("x-forwarded-for", address).send().await.unwrap();
    }
    stage.scan.get(&link(&codes(0, 1)[0])).send().await.unwrap();
    crate::eventually("four rows are written", || async { rows(&stage).await.len() == 4 }).await;
    let row = |serial, outcome: &str, network: &str| {
        (serial, outcome.to_owned(), "phone".to_owned(), Some(network.to_owned()))
    };
    assert_eq!(
        rows(&stage).await,
        [
            row(Some(3), "activated_now", "203.0.113.0/24"),
            row(Some(3), "activated", "2001:db8:1::/48"),
            row(Some(3), "activated", "198.51.100.0/24"),
            row(None, "unknown", "127.0.0.0/24"),
        ],
        "and none of the crawler that waited for the seal"
    );
    let recent: bool = stage
        .superuser()
        .await
        .query_one("SELECT bool_and(at BETWEEN now() - interval '1 minute' AND now()) FROM scan_event", &[])
        .await
        .unwrap()
        .get(0);
    assert!(recent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_from_an_untrusted_peer_changes_nothing() {
    let stage = Stage::new().await;
    let path = link(&codes(0, 1)[0]);
    stage.scan.get(&path).header("x-forwarded-for", "203.0.113.77").send().await.unwrap();
    crate::eventually("a row is written", || async { rows(&stage).await.len() == 1 }).await;
    assert_eq!(rows(&stage).await[0].3.as_deref(), Some("127.0.0.0/24"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_wait_are_written_at_the_end() {
    let mut stage = Stage::new().await;
    let path = link(&codes(0, 1)[0]);
    for _ in 0..20 {
        stage.scan.get(&path).send().await.unwrap();
    }
    stage.scan.stop().await;
    assert_eq!(rows(&stage).await.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_outlast_an_outage_of_the_database() {
    let stage = Stage::new().await;
    let superuser = stage.superuser().await;
    let path = link(&codes(0, 1)[0]);
    stage.scan.get(&path).send().await.unwrap();
    crate::eventually("a row is written", || async { rows(&stage).await.len() == 1 }).await;
    let limit = async |connections: i32| {
        let name = stage.db.name();
        superuser
            .batch_execute(&format!("ALTER DATABASE {name} CONNECTION LIMIT {connections}"))
            .await
            .unwrap();
    };
    // The superuser passes the limit, our logins do not.
    limit(0).await;
    superuser
        .batch_execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'resolver_%' AND datname = current_database()")
        .await
        .unwrap();
    crate::eventually("the outage is noticed", || async {
        stage.scan.get(&path).send().await.unwrap().status() == 503
    })
    .await;
    // Longer than a batch waits, so that the writer meets the outage.
    let written = crate::within(Duration::from_millis(700), || async { rows(&stage).await.len() > 1 });
    assert!(!written.await, "nothing can be written without the database");
    limit(-1).await;
    crate::eventually("what waited is written", || async { rows(&stage).await.len() > 1 }).await;
}
