//! Disks without room.

use std::time::{Duration, Instant};

use futures::future::join_all;
use mintmark_ids::ExportId;
use serde_json::{Value, json};

use crate::api::As;
use crate::dice::Dice;
use crate::disk::Way;
use crate::pack::Pack;
use crate::postgres::Of;
use crate::stage::{Stage, TENANT};
use crate::wait::until;
use crate::work::{Asked, Work, ask_export, ready};

/// An export on a full disk: a clear error that will be tried again, nothing half written, and ready once there is room.
pub async fn full_object_folder(stage: &mut Stage, work: &mut Work, dice: &mut Dice) -> String {
    let users = [stage.workers[0].pid(), stage.workers[1].pid()];
    stage.disks.fill(&stage.disks.objects, &users);
    let export = ask_export(stage, &work.peaceful).await;
    let asked = Asked { id: export.clone(), like: work.reference.clone() };
    work.exports.push(asked);
    let uuid = export.parse::<ExportId>().unwrap().as_uuid();
    let job = format!(
        "SELECT coalesce(last_error, '') FROM jobs j JOIN export e ON e.job_id = j.id WHERE e.id = '{uuid}'"
    );
    let words =
        if stage.disks.way == Way::FileSizeLimit { "object store" } else { "the object store is full" };
    let mut error = String::new();
    // Its turn comes after other work, and a fault just before may have cost it an attempt for another reason.
    let said = until(Duration::from_secs(120), async || {
        error = stage.postgres.rows(Of::Control, &job).await[0].get(0);
        error.contains(words).then_some(())
    });
    said.await.unwrap_or_else(|| panic!("an export without room does not say so: {error:?}"));
    let view = stage.api.get(&format!("/v1/exports/{export}")).await;
    assert!(view["state"] == "running" || view["state"] == "queued", "{view:#}");
    let folder = format!("exports/{TENANT}/{export}/");
    let clean = until(Duration::from_secs(5), async || {
        let files = stage.disks.objects.files();
        let half = files.iter().any(|path| path.starts_with(&folder) && path.contains('#'));
        (!half).then_some(())
    });
    clean.await.expect("nothing half written stays");
    tokio::time::sleep(dice.millis(0..500)).await;
    stage.disks.free(&stage.disks.objects, &users);
    ready(stage, &export).await;
    assert_eq!(Pack::fetch(stage, &export).await, work.reference, "as if there had been room");
    format!("\"{error}\"; then ready")
}

/// Scans go on while telemetry has nowhere to go: on a full disk rows wait in memory, in a spool that holds what it may
/// they are dropped and counted.
pub async fn full_spool(stage: &mut Stage, work: &mut Work) -> String {
    // After a restart of Postgres just before, scans are "unconfirmed" until the state of publications is fresh again.
    let fresh = until(Duration::from_secs(30), async || {
        scan_all(stage, work).await.iter().all(is_genuine).then_some(())
    });
    fresh.await.expect("scans are confirmed again");
    let locked = stage.postgres.client(Of::Resolver).await;
    locked.batch_execute("BEGIN; LOCK TABLE scan_segment IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let user = [stage.scan.pid()];
    stage.disks.fill(&stage.disks.spool, &user);
    let before = stage.scans.made();
    let (dropped, spooled_before) = (dropped(stage).await, spooled(stage).await);
    // Longer than rows are gathered and the database is given.
    let until_then = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until_then {
        scan_some(stage, work).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(spooled(stage).await, spooled_before, "the disk of the spool is full");
    assert!(stage.scan.counter("telemetry_buffered", &[]).await > 0.0, "rows wait in memory meanwhile");
    stage.disks.free(&stage.disks.spool, &user);
    let counted = until(Duration::from_secs(40), async || {
        scan_some(stage, work).await;
        (self::dropped(stage).await > dropped).then_some(())
    });
    counted.await.expect("what the spool may not hold is dropped, and counted");
    locked.batch_execute("ROLLBACK").await.unwrap();
    let scans = stage.scans.made() - before;
    let lost = self::dropped(stage).await - dropped;
    format!("{scans} scans answered, {lost} rows dropped and counted")
}

/// Rows of telemetry that were lost, by what the service itself says.
pub async fn dropped(stage: &Stage) -> u64 {
    stage.scan.counter("telemetry_dropped_total", &[]).await as u64
}

/// Rows of telemetry that went to the spool.
async fn spooled(stage: &Stage) -> u64 {
    stage.scan.counter("telemetry_spooled_total", &[]).await as u64
}

/// Scans everything; a busy machine may keep a look-up waiting for longer than its visitor is given, and then the next try
/// must be answered.
async fn scan_some(stage: &Stage, work: &Work) {
    let mut other = None;
    let answered = until(Duration::from_secs(10), async || {
        other = scan_all(stage, work).await.into_iter().find(|answer| !is_genuine(answer));
        other.is_none().then_some(())
    });
    assert!(answered.await.is_some(), "scans go on: {other:?}");
}

async fn scan_all(stage: &Stage, work: &Work) -> Vec<(u16, Value)> {
    join_all(work.uris.iter().map(|uri| stage.scans.scan(uri))).await
}

fn is_genuine((status, answer): &(u16, Value)) -> bool {
    *status == 200 && answer["status"] == "genuine"
}

/// Reveals a unit of a batch and scans it: its verdict.
pub async fn verdict(stage: &Stage, batch: &str, serial: u64) -> Value {
    let path = format!("/v1/batches/{batch}/tokens/{serial}/reveal");
    let unit = stage.api.post(As::Person, &path, None, &json!({})).await;
    let uri = crate::stage::text(&unit, "uri");
    stage.scans.scan(&uri).await.1["status"].clone()
}
