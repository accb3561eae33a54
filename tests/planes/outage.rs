//! Scans go on while everything that they do not need is away: answers stay right, and telemetry arrives later, once.

use mintmark_codes::{Code, Partition};
use tokio_postgres::Client;

use crate::estate::{Estate, Running, waiting};
use crate::eventually;

/// What befalls the telemetry's tables, and what mends it.
const TROUBLES: &[(&str, &str, &str)] = &[
    (
        "the tables are gone",
        "ALTER TABLE scan_segment RENAME TO away; ALTER TABLE scan_event RENAME TO away_too",
        "ALTER TABLE away RENAME TO scan_segment; ALTER TABLE away_too RENAME TO scan_event",
    ),
    (
        "no partition takes today's rows",
        "ALTER TABLE scan_event DETACH PARTITION scan_event_stray;
         DO $$ BEGIN EXECUTE 'ALTER TABLE scan_event DETACH PARTITION scan_event_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD'); END $$",
        "ALTER TABLE scan_event ATTACH PARTITION scan_event_stray DEFAULT;
         DO $$ BEGIN EXECUTE format('ALTER TABLE scan_event ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            'scan_event_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD'),
            date_trunc('day', now() AT TIME ZONE 'UTC') || '+00', date_trunc('day', now() AT TIME ZONE 'UTC') + interval '1 day' || '+00'); END $$",
    ),
    (
        "the disk is full",
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
         CREATE TRIGGER full_disk BEFORE INSERT ON scan_segment FOR EACH ROW EXECUTE FUNCTION full_disk()",
        "DROP FUNCTION full_disk CASCADE",
    ),
    (
        "the right to insert is gone",
        "REVOKE INSERT ON scan_event FROM resolver_scan",
        "GRANT INSERT ON scan_event TO resolver_scan",
    ),
    (
        "the tables are locked",
        "BEGIN; LOCK TABLE scan_segment, scan_event IN ACCESS EXCLUSIVE MODE",
        "COMMIT",
    ),
];

const SCANS: usize = 6;

/// Everything that arrived: rows and networks, which are the same number when each scan arrived once.
async fn arrived(superuser: &Client) -> (i64, i64) {
    let query = "SELECT count(*), count(DISTINCT network) FROM scan_event";
    let row = superuser.query_one(query, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

/// First and second scans of codes that nobody scanned before, each from a network of its own.
async fn scan_all(estate: &Estate, scan: &Running, codes: &[Code], trouble: usize) {
    for (number, code) in codes.iter().enumerate() {
        let first = estate.scan_from(scan, code, &format!("10.{trouble}.{number}.7")).await;
        assert_eq!((first.0, first.1["activation"]["state"].as_str()), (200, Some("activated_now")));
        let second = estate.scan_from(scan, code, &format!("11.{trouble}.{number}.7")).await;
        assert_eq!((second.0, second.1["activation"]["state"].as_str()), (200, Some("activated")));
        assert_eq!(first.1["activation"]["at"], second.1["activation"]["at"]);
    }
    let unknown = Code::from_parts(Partition::new(0).unwrap(), 1 << trouble);
    let (status, view) = estate.scan_from(scan, &unknown, &format!("12.{trouble}.0.7")).await;
    assert_eq!((status, view["status"].as_str()), (404, Some("unknown")));
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_go_on_while_the_control_plane_the_directory_and_the_telemetry_are_away() {
    let estate = Estate::new().await;
    let (directory, control, scan) =
        (estate.directory().await, estate.control(&[]).await, estate.scan().await);
    let shop = estate.shop(&control).await;
    let units = SCANS * (TROUBLES.len() + 1);
    let (_, codes) = estate.sealed(&control, &shop, u32::try_from(units).unwrap(), &[&scan]).await;
    control.kill().await;
    directory.kill().await;

    let superuser = estate.resolver().await;
    let mut expected = 0;
    for (number, some) in codes.chunks(SCANS).enumerate() {
        let trouble = TROUBLES.get(number);
        if let Some((_, strike, _)) = trouble {
            superuser.batch_execute(strike).await.unwrap();
        }
        scan_all(&estate, &scan, some, number).await;
        expected += 2 * some.len() + 1;
        if let Some((what, _, mend)) = trouble {
            let rows = u32::try_from(2 * some.len() + 1).unwrap();
            eventually(&format!("{what}: rows are spooled"), async || {
                (waiting(&scan.spool) == rows).then_some(())
            })
            .await;
            superuser.batch_execute(mend).await.unwrap();
        }
        let all = i64::try_from(expected).unwrap();
        let what = trouble.map_or("nothing is away", |(what, ..)| what);
        eventually(&format!("{what}: every row arrives"), async || {
            let (rows, networks) = arrived(&superuser).await;
            assert_eq!(rows, networks, "{what}: a row came twice");
            (rows == all).then_some(())
        })
        .await;
    }
    eventually("the spool is empty", async || (waiting(&scan.spool) == 0).then_some(())).await;
    let query = "SELECT count(*) FILTER (WHERE outcome = 'activated_now'), count(*) FILTER (WHERE outcome = 'activated'),
        count(*) FILTER (WHERE outcome = 'unknown') FROM scan_event";
    let row = superuser.query_one(query, &[]).await.unwrap();
    let of = |at: usize| usize::try_from(row.get::<_, i64>(at)).unwrap();
    assert_eq!((of(0), of(1), of(2)), (units, units, TROUBLES.len() + 1), "and each says what the scan was");
}
