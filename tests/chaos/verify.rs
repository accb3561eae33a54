//! What must be true after every round, by SQL and through the API.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use crate::dice::Dice;
use crate::full::{dropped, verdict};
use crate::pack::Pack;
use crate::postgres::Of;
use crate::stage::{Stage, TENANT};
use crate::wait::until;
use crate::work::{Order, Work};

/// Holds everything that ended since the last round, and what must hold of the whole, against the truth.
pub async fn verify(stage: &Stage, work: &mut Work, dice: &mut Dice) {
    let since: Vec<Order> = work.orders[work.verified..].to_vec();
    jobs(stage, work).await;
    directory(stage, &since).await;
    resumed(stage, work).await;
    for order in &since {
        through_the_api(stage, order, dice).await;
    }
    for asked in work.exports.drain(..) {
        let pack = Pack::fetch(stage, &asked.id).await;
        assert_eq!(pack, asked.like, "{}: byte for byte the pack that was made in peace", asked.id);
        // Retention is days; the disk is small, and a long run exports more than it holds.
        stage.disks.objects.clear(&format!("exports/{TENANT}/{}", asked.id));
    }
    cancelled_stay_so(stage, &work.orders).await;
    telemetry(stage).await;
    for service in stage.workers.iter().chain([&stage.directory, &stage.scan]) {
        let log = service.log();
        let panicked = log.lines().find(|line| line.contains("panicked"));
        assert!(panicked.is_none(), "{}: {}", service.name, panicked.unwrap_or_default());
    }
    work.verified = work.orders.len();
}

/// No dead letters, nothing stuck, nothing ordered twice.
async fn jobs(stage: &Stage, work: &Work) {
    let dead = "SELECT kind || ': ' || coalesce(last_error, '') FROM jobs WHERE state = 'dead'";
    let dead: Vec<String> =
        stage.postgres.rows(Of::Control, dead).await.iter().map(|row| row.get(0)).collect();
    assert!(dead.is_empty(), "dead letters: {dead:#?}");
    let stuck = "SELECT count(*) FROM jobs WHERE state = 'running'
        AND lease_until < clock_timestamp() - interval '20 seconds'";
    assert_eq!(stage.postgres.number(Of::Control, stuck).await, 0, "claims whose lease nobody took over");
    let put_off = "SELECT count(*) FROM jobs WHERE state = 'queued' AND kind = 'pull-scans'
        AND run_at > clock_timestamp() + interval '10 minutes'";
    assert_eq!(
        stage.postgres.number(Of::Control, put_off).await,
        0,
        "scans are pulled by the database's clock"
    );
    let batches = stage.postgres.number(Of::Control, "SELECT count(*) FROM batch").await;
    assert_eq!(batches as usize, work.orders.len(), "one batch for each order");
}

/// Each publication whole, each serial once, no hash twice, no two ranges over one another.
async fn directory(stage: &Stage, orders: &[Order]) {
    let wanted: BTreeMap<&str, &Order> = orders.iter().map(|order| (order.uuid.as_str(), order)).collect();
    let list = wanted.keys().map(|uuid| format!("'{uuid}'")).collect::<Vec<_>>().join(",");
    let sql = format!(
        "SELECT p.batch_id::text, p.id, p.partition_id::int, p.state, p.units, p.units_published, p.first_serial,
            (p.units + p.chunk_units - 1) / p.chunk_units, count(c.chunk), coalesce(max(c.chunk) + 1, 0)::bigint,
            coalesce(sum(c.units), 0)::bigint
         FROM publication p LEFT JOIN publication_chunk c ON c.publication_id = p.id
         WHERE p.batch_id IN ({list}) GROUP BY p.id"
    );
    let (mut partitions, mut ranges) = (BTreeSet::new(), BTreeMap::new());
    let mut sealed = BTreeSet::new();
    for row in stage.postgres.rows(Of::Resolver, &sql).await {
        let (batch, id, partition, state): (String, i32, i32, String) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let [units, published, first, chunks, entered, next, added] =
            [4, 5, 6, 7, 8, 9, 10].map(|column| row.get::<_, i64>(column));
        let order = wanted[batch.as_str()];
        assert_eq!(units as u64, order.units, "{}", order.id);
        assert_eq!((entered, added), (next, published), "{}: the ledger has a gap", order.id);
        if state == "sealed" {
            assert_eq!((published, entered), (units, chunks), "{}: sealed means whole", order.id);
            sealed.insert(batch);
        } else {
            assert_eq!(state, "aborted", "{}: nothing stays open", order.id);
        }
        partitions.insert(partition);
        ranges.insert(id, (first, published));
    }
    for order in orders.iter().filter(|order| !order.cancelled) {
        assert!(sealed.contains(&order.uuid), "{} is sealed in the directory", order.id);
    }
    codes(stage, &partitions, ranges).await;
    let overlaps = "SELECT count(*) FROM publication a JOIN publication b
        ON a.product_id = b.product_id AND a.id < b.id AND a.serials && b.serials";
    assert_eq!(stage.postgres.number(Of::Resolver, overlaps).await, 0, "ranges over one another");
}

/// Every code of these publications is there once; `ranges`: first serial and how many, by publication.
async fn codes(stage: &Stage, partitions: &BTreeSet<i32>, mut ranges: BTreeMap<i32, (i64, i64)>) {
    let list = ranges.keys().map(ToString::to_string).collect::<Vec<_>>().join(",");
    for partition in partitions {
        let sql = format!(
            "SELECT publication_id, count(*), count(DISTINCT serial), count(DISTINCT hash), min(serial), max(serial)
             FROM code_{partition:04} WHERE publication_id IN ({list}) GROUP BY 1"
        );
        for row in stage.postgres.rows(Of::Resolver, &sql).await {
            let id: i32 = row.get(0);
            let [codes, serials, hashes, least, most] =
                [1, 2, 3, 4, 5].map(|column| row.get::<_, i64>(column));
            let (first, units) = ranges.remove(&id).expect("a publication has its codes in one partition");
            assert_eq!((codes, serials, hashes), (units, units, units), "publication {id}");
            assert_eq!((least, most), (first, first + units - 1), "publication {id}");
        }
    }
    ranges.retain(|_, (_, units)| *units > 0);
    assert!(ranges.is_empty(), "publications without their codes: {ranges:?}");
}

/// What was committed before a fault is still what that transaction wrote, and nothing was sent again: whoever takes over
/// asks the ledger where to go on, and the fence keeps everything out that was still under way.
async fn resumed(stage: &Stage, work: &mut Work) {
    let sql = "SELECT publication_id, chunk, xmin::text FROM publication_chunk";
    let now: BTreeMap<(i32, i32), String> = stage
        .postgres
        .rows(Of::Resolver, sql)
        .await
        .iter()
        .map(|row| ((row.get(0), row.get(1)), row.get(2)))
        .collect();
    for (chunk, transaction) in &work.committed {
        assert_eq!(now.get(chunk), Some(transaction), "chunk {chunk:?} was written once and for all");
    }
    work.committed.clear();
    let repeated = stage.directory.counter("publish_chunks_repeated_total", &[]).await as u64;
    assert_eq!(repeated, 0, "chunks that were published again: minting was restarted and not resumed");
}

/// What a person sees of a batch, and of three of its units.
async fn through_the_api(stage: &Stage, order: &Order, dice: &mut Dice) {
    let view = stage.api.get(&format!("/v1/batches/{}", order.id)).await;
    if order.cancelled {
        return;
    }
    assert_eq!(view["state"], "sealed", "{view:#}");
    assert_eq!(view["progress"], json!({ "done": order.units, "total": order.units }), "{view:#}");
    for serial in [1, order.units, dice.roll(1..order.units + 1)] {
        let serial = view["firstSerial"].as_u64().unwrap() + serial - 1;
        // The scan service learns of a seal within two seconds.
        let mut said = json!(null);
        let genuine = until(Duration::from_secs(10), async || {
            said = verdict(stage, &order.id, serial).await;
            (said == "genuine").then_some(())
        });
        genuine.await.unwrap_or_else(|| panic!("unit {serial} of {} is {said}", order.id));
    }
}

/// Every batch that was cancelled, in this round or before.
async fn cancelled_stay_so(stage: &Stage, orders: &[Order]) {
    for order in orders.iter().filter(|order| order.cancelled) {
        let view = stage.api.get(&format!("/v1/batches/{}", order.id)).await;
        assert_eq!(view["state"], "cancelled", "{view:#}");
        let sql = format!(
            "SELECT count(*) FROM publication WHERE batch_id = '{}' AND state <> 'aborted' AND revoked_at IS NULL",
            order.uuid
        );
        assert_eq!(stage.postgres.number(Of::Resolver, &sql).await, 0, "{}: given up for ever", order.id);
    }
}

/// Each scan that was answered is in the telemetry, once, or was dropped and counted.
async fn telemetry(stage: &Stage) {
    let mut seen = (0, 0, 0);
    let settled = until(Duration::from_secs(30), async || {
        let rows = stage.postgres.number(Of::Resolver, "SELECT count(*) FROM scan_event").await as u64;
        seen = (rows, dropped(stage).await, stage.scans.made());
        (seen.0 + seen.1 == seen.2).then_some(())
    });
    settled.await.unwrap_or_else(|| panic!("rows, dropped and scans do not add up: {seen:?}"));
}
