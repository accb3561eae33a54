//! What must be true at the end, by the rows of both databases.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use crate::load::{Batch, Outcome};
use crate::schema::connect;
use crate::stage::Stage;

/// Every batch whole, each code and serial once, nothing ordered twice, no job given up, no panic in a log.
pub async fn all(stage: &Stage, outcome: &Outcome) {
    let control = connect(&stage.control_db.superuser_url()).await;
    let resolver = connect(&stage.resolver_db.superuser_url()).await;
    let ordered = number(&control, "SELECT count(*) FROM batch").await;
    assert_eq!(ordered as usize, outcome.batches.len(), "one batch for each order");
    let dead = "SELECT kind || ': ' || coalesce(last_error, '') FROM jobs WHERE state = 'dead'";
    let dead: Vec<String> = control.query(dead, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert!(dead.is_empty(), "dead letters: {dead:#?}");
    whole(&resolver, &outcome.batches).await;
    let overlaps = "SELECT count(*) FROM publication a JOIN publication b
        ON a.product_id = b.product_id AND a.id < b.id AND a.serials && b.serials";
    assert_eq!(number(&resolver, overlaps).await, 0, "ranges over one another");
    for replica in stage.replicas.iter().flatten() {
        let log = replica.log();
        let bad = log.lines().find(|line| line.contains("panicked") || line.contains("was cut off"));
        assert!(bad.is_none(), "{}: {}", replica.name(), bad.unwrap_or_default());
    }
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
