//! What each login may do is a table, and everything else is refused by the database itself.

use std::collections::BTreeMap;

use mintmark_wire::directory::v1::ActivationMode;
use tokio_postgres::error::SqlState;

use crate::stage::{Stage, connect, terms};

/// Statements on the code table, the ledger and what scanning leaves; `{}` stands for nothing that varies.
const STATEMENTS: &[(&str, &str)] = &[
    ("read codes", "SELECT * FROM code_0000"),
    ("add codes", "INSERT INTO code_0000 VALUES (gen_random_uuid(), 1, 1)"),
    ("change codes", "UPDATE code_0000 SET serial = 2"),
    ("delete codes", "DELETE FROM code_0000"),
    ("read publications", "SELECT * FROM publication"),
    (
        "add publications",
        "INSERT INTO publication (batch_id, tenant_id, product_id, partition_id, mode, first_serial, units, chunk_units, fence)
         SELECT gen_random_uuid(), tenant_id, product_id, 0, 'static', 90000, 1, 1, 1 FROM product",
    ),
    ("revoke publications", "UPDATE publication SET revoked_at = now()"),
    ("move publications", "UPDATE publication SET partition_id = 0"),
    ("number publications", "UPDATE publication SET revision = 0"),
    ("delete publications", "DELETE FROM publication"),
    ("read the ledger", "SELECT * FROM publication_chunk"),
    ("change the ledger", "UPDATE publication_chunk SET units = 1"),
    ("delete the ledger", "DELETE FROM publication_chunk"),
    ("read products", "SELECT * FROM product"),
    ("change products", "UPDATE product SET product_name = 'x'"),
    ("delete products", "DELETE FROM product"),
    ("read partitions", "SELECT * FROM partition"),
    ("enlarge partitions", "UPDATE partition SET capacity = 99"),
    ("open partitions", "SELECT open_partition(1, 1)"),
    ("read images", "SELECT * FROM image"),
    ("add images", "INSERT INTO image VALUES (sha256('x'), 'image/png', 'x', 1, 1)"),
    ("change images", "UPDATE image SET content = content"),
    ("delete images", "DELETE FROM image"),
    ("read the counter", "SELECT * FROM change_counter"),
    ("move the counter", "UPDATE change_counter SET value = 0"),
    ("activate", "SELECT activate(gen_random_uuid(), 1, 1)"),
    ("read activations", "SELECT * FROM activation"),
    ("add activations", "INSERT INTO activation VALUES (gen_random_uuid(), 1, 1, now())"),
    ("read telemetry", "SELECT * FROM scan_event"),
    ("add telemetry", "INSERT INTO scan_event (segment_id, position, at, outcome, device_class) VALUES (gen_random_uuid(), 0, now(), 'unknown', 'phone')"),
    ("confirm", "SELECT activate(gen_random_uuid(), 1, 1, true)"),
    ("read recalls", "SELECT * FROM revoked_code"),
    ("recall codes", "SELECT revoke_codes(1, '{}')"),
    ("add recalls", "INSERT INTO revoked_code VALUES (gen_random_uuid(), 1, 1, now(), 1)"),
    ("take recalls back", "DELETE FROM revoked_code"),
    ("read sums of scans", "SELECT * FROM scan_summary"),
    ("change sums of scans", "UPDATE scan_summary SET scans = 2"),
    ("move sums of scans", "UPDATE scan_summary SET tenant_id = 'other'"),
    ("delete sums of scans", "DELETE FROM scan_summary"),
    ("mark segments", "UPDATE scan_segment SET summed_at = now()"),
    ("delete telemetry", "DELETE FROM scan_event"),
    (
        "add stray telemetry",
        "INSERT INTO scan_event_stray (segment_id, position, at, outcome, device_class) VALUES (gen_random_uuid(), 0, now(), 'unknown', 'phone')",
    ),
    ("read segments", "SELECT * FROM scan_segment"),
    ("add segments", "INSERT INTO scan_segment (id, rows, at) VALUES (gen_random_uuid(), 1, now())"),
    ("order segments", "INSERT INTO scan_segment (id, rows, at, xid) VALUES (gen_random_uuid(), 1, now(), '1')"),
    ("delete segments", "DELETE FROM scan_segment"),
    ("make days of telemetry", "SELECT ensure_scan_partitions(9)"),
    ("make any day of telemetry", "SELECT make_scan_partition(current_date + 400)"),
    ("drop days of telemetry", "SELECT drop_scan_partitions(current_date - 90)"),
    ("make tables", "CREATE TABLE own (a int)"),
];

const SCAN: &[&str] = &[
    "read images",
    "read codes",
    "read publications",
    "read products",
    "read partitions",
    "read the counter",
    "activate",
    "confirm",
    "add telemetry",
    "read recalls",
    "add segments",
];
const DIRECTORY: &[&str] = &[
    "read images",
    "add images",
    "delete images",
    "read codes",
    "add codes",
    "read publications",
    "add publications",
    "revoke publications",
    "read the ledger",
    "read products",
    "change products",
    "read partitions",
    "open partitions",
    "read the counter",
    "read activations",
    "read telemetry",
    "read recalls",
    "recall codes",
    "read sums of scans",
    "change sums of scans",
    "mark segments",
    "read segments",
    "make days of telemetry",
    "drop days of telemetry",
];

#[tokio::test(flavor = "multi_thread")]
async fn each_login_may_do_what_its_table_says_and_nothing_else() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, ActivationMode::FirstScan, 1, 4, 4);
    stage.published(&terms).await;
    for (login, allowed) in [("resolver_scan", SCAN), ("resolver_directory", DIRECTORY)] {
        let client = connect(&stage.db.url(login)).await;
        let mut outcomes = BTreeMap::new();
        for &(what, statement) in STATEMENTS {
            client.batch_execute("BEGIN").await.unwrap();
            let outcome = client.batch_execute(statement).await;
            client.batch_execute("ROLLBACK").await.unwrap();
            let permitted = match outcome {
                Ok(()) => true,
                Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => false,
                Err(error) => panic!("{login}: {what}: {error:?}"),
            };
            outcomes.insert(what, permitted);
        }
        let expected = STATEMENTS.iter().map(|(what, _)| (*what, allowed.contains(what))).collect();
        assert_eq!(outcomes, expected, "{login}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_publication_stays_closed_for_the_directory_login_too() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, ActivationMode::Static, 1, 4, 4);
    stage.published(&terms).await;
    stage.seal(&terms.batch_id, 1).await.unwrap();
    let client = connect(&stage.db.url("resolver_directory")).await;
    client.batch_execute("UPDATE publication SET revoked_at = now()").await.unwrap();
    for statement in [
        "UPDATE publication SET state = 'open', sealed_at = NULL",
        "UPDATE publication SET state = 'aborted', sealed_at = NULL",
        "UPDATE publication SET units_published = 0",
        "UPDATE publication SET revoked_at = NULL",
        "UPDATE publication SET fence = 0",
    ] {
        let refused = client.batch_execute(statement).await.unwrap_err();
        assert_eq!(refused.code(), Some(&SqlState::CHECK_VIOLATION), "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_state_moves_the_counter_and_stamps_its_row() {
    let stage = Stage::new().await;
    let superuser = stage.superuser().await;
    let counter =
        async || superuser.query_one("SELECT value FROM change_counter", &[]).await.unwrap().get::<_, i64>(0);
    let stamped =
        async || superuser.query_one("SELECT revision FROM publication", &[]).await.unwrap().get::<_, i64>(0);
    let id = stage.product(None).await;
    assert_eq!(counter().await, 1);
    let terms = terms(id, ActivationMode::Static, 1, 4, 4);
    stage.published(&terms).await;
    assert_eq!(counter().await, 1, "an open publication is none of a scan's business");
    stage.seal(&terms.batch_id, 1).await.unwrap();
    assert_eq!((counter().await, stamped().await), (2, 2));
    superuser.batch_execute("UPDATE publication SET revoked_at = now()").await.unwrap();
    assert_eq!((counter().await, stamped().await), (3, 3));
}
