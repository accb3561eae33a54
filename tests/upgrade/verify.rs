//! What must be true at the end, by the rows of the databases.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use crate::eventually;
use crate::load::{Batch, Outcome};
use crate::schema::connect;
use crate::stage::Stage;
use crate::work::{Progress, Work};

/// Every batch whole, each code and serial once, nothing ordered twice, no job given up, no panic in a log.
pub async fn all(stage: &Stage, outcome: &Outcome) {
    let control = connect(&stage.databases.control.superuser_url()).await;
    let resolver = connect(&stage.databases.resolver.superuser_url()).await;
    let ordered = number(&control, "SELECT count(*) FROM batch").await;
    assert_eq!(ordered as usize, outcome.batches.len(), "one batch for each order");
    for db in stage.databases.queues() {
        let queue = connect(&db.superuser_url()).await;
        let dead = "SELECT kind || ': ' || coalesce(last_error, '') FROM jobs WHERE state = 'dead'";
        let dead: Vec<String> = queue.query(dead, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        assert!(dead.is_empty(), "dead letters: {dead:#?}");
    }
    whole(&resolver, &outcome.batches).await;
    let overlaps = "SELECT count(*) FROM publication a JOIN publication b
        ON a.product_id = b.product_id AND a.id < b.id AND a.serials && b.serials";
    assert_eq!(number(&resolver, overlaps).await, 0, "ranges over one another");
    errands(stage, &outcome.progress).await;
    for replica in stage.replicas() {
        let log = replica.log();
        let bad = log.lines().find(|line| line.contains("panicked") || line.contains("was cut off"));
        assert!(bad.is_none(), "{}: {}", replica.name(), bad.unwrap_or_default());
    }
}

/// Of each errand the rows that it was to leave, and both logs whole.
async fn errands(stage: &Stage, progress: &Progress) {
    let preflight = connect(&stage.databases.preflight.superuser_url()).await;
    let evidence = connect(&stage.databases.evidence.superuser_url()).await;
    let control = connect(&stage.databases.control.superuser_url()).await;
    let rows = "SELECT count(*) FROM ";
    for (database, of, work) in [
        (&preflight, "preflight_job", Work::Preflight),
        (&preflight, "preflight_job WHERE state = 'succeeded'", Work::Preflight),
        (&evidence, "evidence", Work::Evidence),
        (&evidence, "evidence WHERE state = 'stored'", Work::Evidence),
        (&control, "dispute", Work::Evidence),
        (&control, "evidence_ref", Work::Evidence),
    ] {
        let found = number(database, &format!("{rows}{of}")).await;
        assert_eq!(found.unsigned_abs(), progress.of(work), "rows of {of}");
    }
    for (database, sequencer) in [(&evidence, "evidence-vault"), (&control, "control-plane")] {
        is_one_log(database, sequencer).await;
        let sequencer = format!("{sequencer}-sequencer");
        for replica in stage.replicas().filter(|replica| replica.name().starts_with(&sequencer)) {
            // Whichever led first was taken, and so was its successor.
            assert!(replica.log().contains("this sequencer leads the audit log"), "{}", replica.name());
        }
    }
}

/// Every entry is one leaf of one log, which is signed to its end.
async fn is_one_log(database: &Client, of: &str) {
    let sql = "SELECT count(*), count(DISTINCT idx), count(DISTINCT entry_id), max(idx) + 1,
            (SELECT count(*) FROM audit_entry), (SELECT size FROM audit_head WHERE epoch = 1),
            (SELECT max(size) FROM audit_checkpoint)
        FROM audit_leaf JOIN audit_entry ON audit_entry.id = audit_leaf.entry_id";
    eventually(&format!("the log of {of} is whole, and signed to its end"), async || {
        let row = database.query_one(sql, &[]).await.unwrap();
        let found = [0, 1, 2, 3, 4, 5, 6].map(|column| row.get::<_, Option<i64>>(column));
        (found[0] > Some(0) && found == [found[0]; 7]).then_some(())
    })
    .await;
}

async fn whole(resolver: &Client, batches: &[Batch]) {
    let mut wanted: BTreeMap<String, u32> = batches.iter().map(|it| (it.uuid(), it.units)).collect();
    let sql = "SELECT batch_id::text, id, partition_id::int, state, units, units_published, first_serial
        FROM publication";
    for row in resolver.query(sql, &[]).await.unwrap() {
        let (batch, id, partition, state): (String, i32, i32, String) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let [units, published, first] = [4, 5, 6].map(|column| row.get::<_, i64>(column));
        let ordered = wanted.remove(&batch).expect("somebody ordered it");
        assert_eq!((units, published, state.as_str()), (i64::from(ordered), units, "sealed"), "{batch}");
        let sql = format!(
            "SELECT count(*), count(DISTINCT serial), count(DISTINCT hash), min(serial), max(serial)
             FROM code_{partition:04} WHERE publication_id = {id}"
        );
        let row = resolver.query_one(&sql, &[]).await.unwrap();
        let found = [0, 1, 2, 3, 4].map(|column| row.get::<_, i64>(column));
        assert_eq!(found, [units, units, units, first, first + units - 1], "{batch}");
    }
    assert!(wanted.is_empty(), "batches without a publication: {wanted:?}");
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}
