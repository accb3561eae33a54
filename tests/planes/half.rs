//! A batch that is half published is as unknown as one that never was, whoever is killed and whenever.

use mintmark_codes::{Code, Partition};
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::estate::{Estate, Running};
use crate::eventually;

const UNITS: u32 = 1_000;
/// Ten chunks.
const VARIABLES: [(&str, &str); 2] = [("MINT_CHUNK_UNITS", "100"), ("JOB_LEASE_SECS", "3")];
/// Stops a chunk, or the seal, before it commits, for as long as somebody holds the lock of its number.
const GATES: &str = "
    CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_advisory_xact_lock(4711, NEW.chunk); RETURN NEW; END $$;
    CREATE TRIGGER gate BEFORE INSERT ON publication_chunk FOR EACH ROW EXECUTE FUNCTION gate();
    CREATE FUNCTION last_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_advisory_xact_lock(4711, 999); RETURN NEW; END $$;
    CREATE TRIGGER last_gate BEFORE UPDATE ON publication FOR EACH ROW
        WHEN (OLD.state <> 'sealed' AND NEW.state = 'sealed') EXECUTE FUNCTION last_gate();
    SELECT pg_advisory_lock(4711, chunk) FROM unnest(ARRAY[0, 5, 999]) AS chunk";

async fn open_gate(gates: &Client, chunk: i32) {
    gates.execute("SELECT pg_advisory_unlock(4711, $1)", &[&chunk]).await.unwrap();
}

/// Waits until somebody stands before a gate with so many chunks behind it.
async fn at_gate(gates: &Client, chunk: i32, chunks: i64) {
    let query = "SELECT (SELECT count(*) FROM publication_chunk) = $1 AND EXISTS (SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND classid = 4711 AND objid = $2::int::oid AND NOT granted)";
    eventually(&format!("chunk {chunk} is at its gate"), async || {
        gates.query_one(query, &[&chunks, &chunk]).await.unwrap().get::<_, bool>(0).then_some(())
    })
    .await;
}

/// Scans units all over the batch as a person does: each is answered like a code that never was.
async fn assert_unknown(estate: &Estate, scan: &Running, codes: &[Code], when: &str) {
    let never = Code::from_parts(Partition::new(0).unwrap(), 5);
    let unknown: (u16, Value) = estate.scan_code(scan, &never).await;
    assert_eq!(unknown.0, 404);
    for unit in [0, 99, 100, 499, 500, 999] {
        assert_eq!(estate.scan_code(scan, &codes[unit]).await, unknown, "unit {unit} {when}");
    }
    let activated = estate.resolver().await.query_one("SELECT count(*) FROM activation", &[]).await.unwrap();
    assert_eq!(activated.get::<_, i64>(0), 0, "{when}");
}

async fn partition_known(estate: &Estate) {
    let rows = estate.control_rows().await;
    eventually("the batch knows its partition", async || {
        let row = rows.query_one("SELECT partition_id FROM batch", &[]).await.unwrap();
        row.get::<_, Option<i16>>(0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_published_batch_is_unknown_in_each_of_its_states_and_genuine_at_once_when_sealed() {
    let estate = Estate::new().await;
    let (directory, control, scan) =
        (estate.directory().await, estate.control(&VARIABLES).await, estate.scan().await);
    let gates = estate.resolver().await;
    gates.batch_execute(GATES).await.unwrap();
    let shop = estate.shop(&control).await;
    let batch = estate.batch(&control, &shop, UNITS).await;
    partition_known(&estate).await;
    let codes = estate.codes(&batch).await;

    at_gate(&gates, 0, 0).await;
    assert_unknown(&estate, &scan, &codes, "when the publication is open").await;
    open_gate(&gates, 0).await;
    at_gate(&gates, 5, 5).await;
    assert_unknown(&estate, &scan, &codes, "when half of the chunks are in").await;
    control.kill().await;
    assert_unknown(&estate, &scan, &codes, "when the control plane was killed in the middle").await;
    open_gate(&gates, 5).await;

    let control = estate.control(&VARIABLES).await;
    at_gate(&gates, 999, 10).await;
    assert_unknown(&estate, &scan, &codes, "when every chunk is in and the seal is under way").await;
    directory.kill().await;
    assert_unknown(&estate, &scan, &codes, "when the directory was killed before the seal was").await;
    open_gate(&gates, 999).await;

    let _directory = estate.directory().await;
    estate.until(&control, &shop, &batch, "sealed").await;
    for unit in [0, 499, 999] {
        eventually("every unit is genuine", async || {
            (estate.standing(&scan, &codes[unit]).await == "genuine").then_some(())
        })
        .await;
    }
    let query = "SELECT count(*), count(DISTINCT hash), count(DISTINCT serial) FROM code_0000";
    let row = gates.query_one(query, &[]).await.unwrap();
    assert_eq!([0, 1, 2].map(|at| row.get::<_, i64>(at)), [1_000; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_cancelled_half_published_stays_unknown_for_ever() {
    let estate = Estate::new().await;
    let (_directory, control, scan) =
        (estate.directory().await, estate.control(&VARIABLES).await, estate.scan().await);
    let gates = estate.resolver().await;
    gates.batch_execute(GATES).await.unwrap();
    let shop = estate.shop(&control).await;
    let batch = estate.batch(&control, &shop, UNITS).await;
    partition_known(&estate).await;
    let codes = estate.codes(&batch).await;
    open_gate(&gates, 0).await;
    at_gate(&gates, 5, 5).await;
    let cancel = format!("/v1/batches/{batch}/cancel");
    let asked = estate.call(&control, "POST", &cancel, &shop.owner.session, None, &json!({})).await;
    assert!((200..300).contains(&asked.status), "{:#}", asked.json());
    // The worker gives the publication up, and waits for the chunk that has its row.
    let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted)";
    eventually("the worker gives up", async || {
        gates.query_one(waits, &[]).await.unwrap().get::<_, bool>(0).then_some(())
    })
    .await;
    open_gate(&gates, 5).await;
    estate.until(&control, &shop, &batch, "cancelled").await;
    eventually("the publication is given up", async || {
        let state = gates.query_one("SELECT state FROM publication", &[]).await.unwrap();
        (state.get::<_, &str>(0) == "aborted").then_some(())
    })
    .await;
    assert_unknown(&estate, &scan, &codes, "when the batch was cancelled").await;
}
