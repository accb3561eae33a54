//! Days: made ahead, dropped after their time, and no row lost to a day that is missing.

use mintmark_devstack::testdb;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::stage::{Stage, connect};

async fn days(client: &Client) -> Vec<i32> {
    let query = "SELECT to_date(right(c.relname, 8), 'YYYYMMDD') - (now() AT TIME ZONE 'UTC')::date
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'scan_event'::regclass AND c.relname <> 'scan_event_stray' ORDER BY 1";
    client.query(query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// One row so many days from now.
fn row(days: i32) -> String {
    format!(
        "INSERT INTO scan_event (segment_id, position, at, outcome, device_class)
         VALUES (gen_random_uuid(), 0, now() + interval '{days} days', 'unknown', 'phone')"
    )
}

async fn count(client: &Client, table: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn strays_move_to_their_day_when_it_is_made() {
    let db = testdb::database("resolver").await;
    let (scan, directory) =
        (connect(&db.url("resolver_scan")).await, connect(&db.url("resolver_directory")).await);
    let superuser = connect(&db.superuser_url()).await;
    assert_eq!(days(&superuser).await, (-1..=7).collect::<Vec<_>>());
    for day in [0, 9, 9, 10, 40] {
        scan.batch_execute(&row(day)).await.unwrap();
    }
    assert_eq!(count(&superuser, "scan_event_stray").await, 4);
    let made: i32 = directory.query_one("SELECT ensure_scan_partitions(10)", &[]).await.unwrap().get(0);
    assert_eq!(made, 3);
    let again: i32 = directory.query_one("SELECT ensure_scan_partitions(10)", &[]).await.unwrap().get(0);
    assert_eq!(again, 0);
    assert_eq!(days(&superuser).await, (-1..=10).collect::<Vec<_>>());
    assert_eq!((count(&superuser, "scan_event_stray").await, count(&superuser, "scan_event").await), (1, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn days_beyond_the_retention_are_dropped_by_the_directory_role() {
    let db = std::sync::Arc::new(testdb::database("resolver").await);
    let superuser = connect(&db.superuser_url()).await;
    superuser
        .batch_execute(
            "SELECT make_scan_partition(current_date - 90), make_scan_partition(current_date - 91), make_scan_partition(current_date - 120);
             INSERT INTO scan_segment (id, rows, at) SELECT gen_random_uuid(), 1, now() - interval '1 day' * d FROM unnest(ARRAY[0, 89, 92, 500]) d",
        )
        .await
        .unwrap();
    // Two of a day without a partition, one of them too old.
    for day in [0, -50, -89, -92, -120, -500] {
        superuser.batch_execute(&row(day)).await.unwrap();
    }
    let _stage = Stage::on(db.clone(), crate::stage::PEPPER).await;
    crate::eventually("old days are dropped", || async { days(&superuser).await[..2] == [-90, -1] }).await;
    crate::eventually("old rows are gone", || async { count(&superuser, "scan_event").await == 3 }).await;
    assert_eq!(count(&superuser, "scan_segment").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn todays_telemetry_cannot_be_dropped() {
    let db = testdb::database("resolver").await;
    let directory = connect(&db.url("resolver_directory")).await;
    for before in ["current_date + 2", "NULL"] {
        let refused = directory.batch_execute(&format!("SELECT drop_scan_partitions({before})")).await;
        assert_eq!(refused.unwrap_err().code(), Some(&SqlState::INVALID_PARAMETER_VALUE), "{before}");
    }
}
