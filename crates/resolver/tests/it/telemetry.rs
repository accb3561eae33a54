//! What scans leave behind: as little as it may be, nothing by machines, and every row once, whatever goes wrong.

mod away;
mod migration;
mod partitions;
mod process;
mod segments;

use std::time::Duration;

use mintmark_codes::Code;
use mintmark_wire::directory::v1::ActivationMode;
use tokio_postgres::Client;

use crate::stage::{GTIN, PEPPER, Scan, Stage, codes, link};

type Row = (Option<i64>, String, String, Option<String>, Option<String>);

async fn rows(stage: &Stage) -> Vec<Row> {
    let query = "SELECT serial, outcome, device_class, network::text, country FROM scan_event ORDER BY at";
    let rows = stage.superuser().await.query(query, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4))).collect()
}

/// Takes the database away from our logins, or gives it back: the superuser passes the limit, our logins do not.
async fn reachable(superuser: &Client, yes: bool) {
    let name: String = superuser.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0);
    let limit = if yes { -1 } else { 0 };
    superuser.batch_execute(&format!("ALTER DATABASE {name} CONNECTION LIMIT {limit}")).await.unwrap();
    if !yes {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE usename LIKE 'resolver_%' AND datname = current_database()";
        superuser.batch_execute(end).await.unwrap();
    }
}

/// So many scans of an unknown code, each from a network of its own: 10.x.y.0/24, counted from `first`.
async fn scans(addr: std::net::SocketAddr, http: &reqwest::Client, first: u32, count: u32) {
    let path = format!("http://{addr}/{}", codes(0, 1)[0].as_str());
    for number in first..first + count {
        let from = format!("10.{}.{}.7", number / 256, number % 256);
        let request = http.get(&path).header("user-agent", crate::stage::PHONE);
        request.header("x-forwarded-for", from).send().await.unwrap();
    }
}

/// How many networks there are in the table, after checking that each is there once and segments say what they hold.
async fn networks(superuser: &Client) -> i64 {
    let query = "SELECT count(*), count(DISTINCT network) FROM scan_event";
    let row = superuser.query_one(query, &[]).await.unwrap();
    let (count, distinct): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!(count, distinct, "a row came twice");
    let query = "SELECT count(*) FROM scan_segment s FULL JOIN
            (SELECT segment_id, count(*) AS rows, max(position) AS last FROM scan_event GROUP BY 1) e ON e.segment_id = s.id
        WHERE s.rows IS DISTINCT FROM e.rows OR s.rows <> e.last + 1";
    let wrong: i64 = superuser.query_one(query, &[]).await.unwrap().get(0);
    assert_eq!(wrong, 0, "a segment does not hold what it says");
    count
}

/// The value of a counter with this reason.
fn dropped(reason: &str) -> u64 {
    let text = mintmark_service::telemetry::metrics_text();
    let line = text.lines().find(|line| {
        line.starts_with("telemetry_dropped_total{") && line.contains(&format!("reason=\"{reason}\""))
    });
    line.unwrap().rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_by_people_leave_a_row_with_a_truncated_address_and_a_country() {
    let mut stage = Stage::new().await;
    stage.scan = Scan::start(&stage.db, vec!["127.0.0.0/8"]).await;
    let sealed = stage.sealed(stage.product(None).await, ActivationMode::FirstScan, 1, 4).await;
    let path = link(&sealed[2]);
    stage.scan.becomes(&path, "genuine").await;
    for address in ["193.0.6.139", "2003:e0:1:2::3", "1.1.1.1, 133.11.0.9"] {
        stage.scan.get(&path).header("x-forwarded-for", address).send().await.unwrap();
    }
    stage.scan.get(&link(&codes(0, 1)[0])).send().await.unwrap();
    crate::eventually("four rows are written", || async { rows(&stage).await.len() == 4 }).await;
    let row = |serial, outcome: &str, network: &str, country: Option<&str>| {
        let country = country.map(str::to_owned);
        (serial, outcome.to_owned(), "phone".to_owned(), Some(network.to_owned()), country)
    };
    assert_eq!(
        rows(&stage).await,
        [
            row(Some(3), "activated_now", "193.0.6.0/24", Some("NL")),
            row(Some(3), "activated", "2003:e0:1::/48", Some("DE")),
            row(Some(3), "activated", "133.11.0.0/24", Some("JP")),
            row(None, "unknown", "127.0.0.0/24", None),
        ],
        "and none of the crawler that waited for the seal"
    );
    let query = "SELECT bool_and(at BETWEEN now() - interval '1 minute' AND now()) FROM scan_event";
    let recent: bool = stage.superuser().await.query_one(query, &[]).await.unwrap().get(0);
    assert!(recent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_names_the_product_where_it_is_known() {
    let stage = Stage::new().await;
    let product = stage.product(None).await;
    let sealed = stage.sealed(product, ActivationMode::Static, 1, 4).await;
    stage.scan.becomes(&link(&sealed[0]), "genuine").await;
    let unknown: Code = codes(0, 1)[0];
    let outcomes = async |paths: [String; 2]| {
        for path in paths {
            stage.scan.get(&path).send().await.unwrap();
        }
    };
    outcomes([link(&sealed[0]), link(&unknown)]).await;
    outcomes([format!("/{}", unknown.as_str()), format!("/01/04012345678901/21/{}", unknown.as_str())]).await;
    crate::eventually("four rows are written", || async { rows(&stage).await.len() == 4 }).await;
    let query = "SELECT product_id FROM scan_event ORDER BY at";
    let products = stage.superuser().await.query(query, &[]).await.unwrap();
    let products: Vec<Option<uuid::Uuid>> = products.iter().map(|row| row.get(0)).collect();
    assert_eq!(products, [Some(product.as_uuid()), Some(product.as_uuid()), None, None]);

    // A second product of the same GTIN: which of them it was is not known any more.
    stage.product(None).await;
    let other = stage.sealed(stage.product(None).await, ActivationMode::Static, 1, 4).await;
    stage.scan.becomes(&link(&other[0]), "genuine").await;
    stage.scan.get(&format!("/01/{GTIN}/21/{}", unknown.as_str())).send().await.unwrap();
    crate::eventually("a fifth row is written", || async { rows(&stage).await.len() == 5 }).await;
    let last = stage.superuser().await.query(query, &[]).await.unwrap();
    assert_eq!(last[4].get::<_, Option<uuid::Uuid>>(0), None);
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
async fn rows_outlast_an_outage_of_the_database_in_memory() {
    let mut stage = Stage::new().await;
    let superuser = stage.superuser().await;
    stage.scan = Scan::with_peppers(&stage.db, vec!["127.0.0.0/8"], PEPPER).await;
    scans(stage.scan.addr, &stage.scan.http, 0, 50).await;
    crate::eventually("the rows are written", || async { networks(&superuser).await == 50 }).await;
    reachable(&superuser, false).await;
    scans(stage.scan.addr, &stage.scan.http, 50, 50).await;
    // Longer than a segment waits, so that the writer meets the outage.
    let written = crate::within(Duration::from_millis(700), || async { networks(&superuser).await > 50 });
    assert!(!written.await, "nothing can be written without the database");
    reachable(&superuser, true).await;
    crate::eventually("what waited is written", || async { networks(&superuser).await == 100 }).await;
}
