//! Segments as the database sees them.

use chrono::Utc;
use mintmark_db::DbConfig;
use mintmark_devstack::testdb;
use mintmark_resolver::app::geo::Origin;
use mintmark_resolver::app::network::Network;
use mintmark_resolver::app::telemetry::{ScanEvent, Telemetry};
use mintmark_resolver::app::verdict::Outcome;
use mintmark_resolver::app::visitor::DeviceClass;
use mintmark_service::Context;

use super::{dropped, networks, reachable};
use crate::stage::connect;

fn event(number: u32) -> ScanEvent {
    let address = std::net::Ipv4Addr::from_bits((10 << 24) | (number << 8)).into();
    ScanEvent {
        at: Utc::now(),
        publication: None,
        product: None,
        serial: None,
        outcome: Outcome::Unknown,
        device: DeviceClass::Phone,
        origin: Origin { network: Network::coarse(address), country: None, region: None },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_are_written_in_segments_of_five_thousand() {
    let db = testdb::database("resolver").await;
    let context = Context::for_tests("resolver-scan");
    let (telemetry, tasks) =
        Telemetry::start(&DbConfig::new(db.url("resolver_scan")), None, &context).unwrap();
    (0..12_000).for_each(|number| telemetry.record(event(number)));
    tasks.finish().await.unwrap();
    let superuser = connect(&db.superuser_url()).await;
    assert_eq!(networks(&superuser).await, 12_000);
    let sizes = superuser.query("SELECT rows FROM scan_segment ORDER BY seq", &[]).await.unwrap();
    let sizes: Vec<i32> = sizes.iter().map(|row| row.get(0)).collect();
    assert!(sizes.len() <= 5 && sizes.iter().all(|rows| *rows <= 5_000), "{sizes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_beyond_the_buffer_are_counted() {
    let db = testdb::database("resolver").await;
    let superuser = connect(&db.superuser_url()).await;
    reachable(&superuser, false).await;
    let context = Context::for_tests("resolver-scan");
    let (telemetry, tasks) =
        Telemetry::start(&DbConfig::new(db.url("resolver_scan")), None, &context).unwrap();
    let before = dropped("buffer_full");
    (0..300_000).for_each(|number| telemetry.record(event(number % 65_536)));
    // The buffer holds 262,144, and the writer may have taken one segment out of it.
    let lost = dropped("buffer_full") - before;
    assert!((300_000 - 262_144 - 10_000..=300_000 - 262_144).contains(&lost), "{lost}");
    tasks.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_database_refuses_do_not_hold_up_the_others() {
    let db = testdb::database("resolver").await;
    let superuser = connect(&db.superuser_url()).await;
    superuser
        .batch_execute("ALTER TABLE scan_event ADD CONSTRAINT never CHECK (outcome <> 'recalled')")
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let spool = mintmark_resolver::app::telemetry::SpoolConfig {
        folder: folder.path().to_path_buf(),
        max_bytes: 1 << 20,
    };
    let database = DbConfig::new(db.url("resolver_scan"));
    let context = Context::for_tests("resolver-scan");
    let before = dropped("refused");
    for outcome in [Outcome::Recalled, Outcome::Unknown] {
        let (telemetry, tasks) = Telemetry::start(&database, Some(&spool), &context).unwrap();
        telemetry.record(ScanEvent { outcome, ..event(1) });
        tasks.finish().await.unwrap();
    }
    assert_eq!(dropped("refused"), before + 1);
    assert_eq!(networks(&superuser).await, 1);
}
