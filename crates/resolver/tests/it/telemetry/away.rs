//! The database goes away under load, and the spool has its own troubles.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mintmark_resolver::app::telemetry::SpoolConfig;

use super::{dropped, networks, reachable, scans};
use crate::stage::{PEPPER, Scan, Stage};

async fn spooling(stage: &Stage, folder: &Path, max_bytes: u64) -> Scan {
    let spool = SpoolConfig { folder: folder.to_path_buf(), max_bytes };
    Scan::configured(&stage.db, vec!["127.0.0.0/8"], PEPPER, |config| config.spool = Some(spool)).await
}

/// The files that wait, and the rows that their names tell.
pub fn waiting(folder: &Path) -> (Vec<PathBuf>, u32) {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "segment"))
        .collect();
    files.sort();
    let rows = |path: &PathBuf| -> u32 {
        path.file_name().unwrap().to_str().unwrap().split('-').nth(1).unwrap().parse().unwrap()
    };
    let sum = files.iter().map(rows).sum();
    (files, sum)
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_an_outage_are_spooled_and_arrive_once() {
    let mut stage = Stage::new().await;
    let (superuser, folder) = (stage.superuser().await, tempfile::tempdir().unwrap());
    stage.scan = spooling(&stage, folder.path(), 1 << 20).await;
    let (addr, http) = (stage.scan.addr, stage.scan.http.clone());
    scans(addr, &http, 0, 200).await;
    crate::eventually("the first rows are written", || async { networks(&superuser).await == 200 }).await;
    reachable(&superuser, false).await;
    for first in [200, 400, 600] {
        scans(addr, &http, first, 200).await;
        // So that there are several segments.
        crate::eventually("the rows are spooled", || async { waiting(folder.path()).1 == first }).await;
    }
    assert!(waiting(folder.path()).0.len() >= 3, "{:?}", waiting(folder.path()));
    let text = mintmark_service::telemetry::metrics_text();
    assert!(text.contains("\ntelemetry_spooled_bytes"), "{text}");
    reachable(&superuser, true).await;
    scans(addr, &http, 800, 200).await;
    crate::eventually("every row arrives", || async { networks(&superuser).await == 1000 }).await;
    crate::eventually("the spool is empty", || async { waiting(folder.path()).0.is_empty() }).await;
    let query = "SELECT count(*) FROM (SELECT min(e.at) < lag(max(e.at)) OVER (ORDER BY s.seq) AS early
        FROM scan_event e JOIN scan_segment s ON s.id = e.segment_id GROUP BY s.seq) AS steps WHERE early";
    let out_of_order: i64 = superuser.query_one(query, &[]).await.unwrap().get(0);
    assert_eq!(out_of_order, 0, "segments arrive in their order");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_for_a_database_that_hangs_are_spooled_and_arrive_once() {
    let mut stage = Stage::new().await;
    let (mut superuser, folder) = (stage.superuser().await, tempfile::tempdir().unwrap());
    stage.scan = spooling(&stage, folder.path(), 1 << 20).await;
    let lock = superuser.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE scan_segment IN ACCESS EXCLUSIVE MODE").await.unwrap();
    scans(stage.scan.addr, &stage.scan.http, 0, 100).await;
    crate::eventually("rows are spooled", || async { waiting(folder.path()).1 == 100 }).await;
    lock.rollback().await.unwrap();
    crate::eventually("every row arrives", || async { networks(&superuser).await == 100 }).await;
    crate::eventually("the spool is empty", || async { waiting(folder.path()).0.is_empty() }).await;
    assert_eq!(networks(&superuser).await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_full_spool_does_not_take_are_counted() {
    let mut stage = Stage::new().await;
    let (superuser, folder) = (stage.superuser().await, tempfile::tempdir().unwrap());
    stage.scan = spooling(&stage, folder.path(), 8192).await;
    let before = dropped("spool_full");
    reachable(&superuser, false).await;
    let mut sent = 0;
    let full = || async { dropped("spool_full") > before };
    while !crate::within(Duration::from_millis(200), full).await {
        assert!(sent < 2000, "the spool of two blocks is never full");
        scans(stage.scan.addr, &stage.scan.http, sent, 20).await;
        sent += 20;
    }
    crate::eventually("every row is spooled or counted", || async {
        u64::from(waiting(folder.path()).1) + dropped("spool_full") - before == u64::from(sent)
    })
    .await;
    assert!(waiting(folder.path()).0.len() <= 2);
    reachable(&superuser, true).await;
    let kept = i64::from(waiting(folder.path()).1);
    crate::eventually("what is spooled arrives", || async { networks(&superuser).await == kept }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_counted_and_the_others_arrive() {
    let mut stage = Stage::new().await;
    let (superuser, folder) = (stage.superuser().await, tempfile::tempdir().unwrap());
    let mut scan = spooling(&stage, folder.path(), 1 << 20).await;
    reachable(&superuser, false).await;
    for (first, files) in [(0, 1), (30, 2), (60, 3)] {
        scans(scan.addr, &scan.http, first, 30).await;
        crate::eventually("rows are spooled", || async {
            let (found, rows) = waiting(folder.path());
            found.len() >= files && rows == first + 30
        })
        .await;
    }
    scan.stop().await;
    let (files, rows) = waiting(folder.path());
    assert_eq!(rows, 90, "the end of the process leaves the spool to the next");
    let torn = OpenOptions::new().write(true).open(&files[1]).unwrap();
    torn.set_len(torn.metadata().unwrap().len() - 40).unwrap();
    let lost: u64 =
        files[1].file_name().unwrap().to_str().unwrap().split('-').nth(1).unwrap().parse().unwrap();
    let before = dropped("spool_damaged");
    reachable(&superuser, true).await;
    stage.scan = spooling(&stage, folder.path(), 1 << 20).await;
    crate::eventually("the sound files arrive", || async {
        networks(&superuser).await == 90 - i64::try_from(lost).unwrap()
    })
    .await;
    crate::eventually("the damaged one is counted", || async { dropped("spool_damaged") == before + lost })
        .await;
    assert!(waiting(folder.path()).0.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_had_arrived_is_not_written_again() {
    let stage = Stage::new().await;
    let (superuser, folder) = (stage.superuser().await, tempfile::tempdir().unwrap());
    let mut scan = spooling(&stage, folder.path(), 1 << 20).await;
    reachable(&superuser, false).await;
    scans(scan.addr, &scan.http, 0, 40).await;
    scan.stop().await;
    let (files, rows) = waiting(folder.path());
    assert_eq!(rows, 40);
    let aside: Vec<(PathBuf, Vec<u8>)> =
        files.iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect();
    reachable(&superuser, true).await;
    for _ in 0..2 {
        let mut scan = spooling(&stage, folder.path(), 1 << 20).await;
        crate::eventually("the spool is empty", || async { waiting(folder.path()).0.is_empty() }).await;
        assert_eq!(networks(&superuser).await, 40);
        scan.stop().await;
        // As if the process had been killed between the commit and the removal of the file.
        for (file, contents) in &aside {
            std::fs::write(file, contents).unwrap();
        }
    }
}
