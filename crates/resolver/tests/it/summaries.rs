//! Sums of scans: made once from each segment, handed out by revision.

use chrono::Utc;
use mintmark_db::{DbConfig, Pool};
use mintmark_fault::Fault;
use mintmark_ids::{BatchId, ProductId, TenantId};
use mintmark_resolver::app::summaries::{Summed, sum};
use mintmark_wire::directory::v1::{
    ActivationMode, PullScansRequest, PullScansResponse, ScanOutcome, ScanSummary,
};
use tokio::runtime::Handle;
use tokio_postgres::Client;

use crate::stage::{Scan, Stage, codes, link, tenant, terms};

type Key = (Option<String>, Option<String>, i32);

fn key(row: &ScanSummary) -> Key {
    (row.batch_id.clone(), row.country.clone(), row.outcome)
}

async fn pull(stage: &Stage, of: &TenantId, cursor: u64, limit: u32) -> Result<PullScansResponse, Fault> {
    stage.directory.pull_scans(of, PullScansRequest { cursor, limit, mark: String::new() }).await
}

/// All sums of the usual tenant.
async fn sums(stage: &Stage) -> Vec<ScanSummary> {
    pull(stage, &stage.tenant, 0, 5_000).await.unwrap().summaries
}

async fn counted(stage: &Stage) -> u64 {
    sums(stage).await.iter().map(|row| row.scans).sum()
}

/// A publication that may be sealed or not; its batch and its number in the directory.
async fn publication(stage: &Stage, product: ProductId, first: u64, seal: bool) -> (String, i32) {
    let terms = terms(product, ActivationMode::FirstScan, first, 4, 4);
    stage.published(&terms).await;
    if seal {
        stage.seal(&terms.batch_id, 1).await.unwrap();
    }
    let batch: BatchId = terms.batch_id.parse().unwrap();
    let query = "SELECT id FROM publication WHERE batch_id = $1";
    let id = stage.superuser().await.query_one(query, &[&batch.as_uuid()]).await.unwrap().get(0);
    (terms.batch_id, id)
}

/// Writes a segment of `rows` equal events as the scan role does; answers its id.
async fn segment(client: &Client, rows: i32, event: &str) {
    let statement = format!(
        "WITH segment AS (INSERT INTO scan_segment (id, rows, at) VALUES (gen_random_uuid(), {rows}, now()) RETURNING id)
         INSERT INTO scan_event (segment_id, position, at, publication_id, product_id, outcome, device_class, country)
         SELECT id, position, {event} FROM segment, generate_series(0, {rows} - 1) AS position"
    );
    client.batch_execute(&statement).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pull_with_a_cursor_of_another_history_says_that_sums_start_again() {
    let stage = Stage::new().await;
    let product = stage.product(None).await;
    let (_, publication) = publication(&stage, product, 1, true).await;
    let event = format!("now(), {publication}, NULL, 'genuine', 'phone', NULL");
    segment(&stage.superuser().await, 2, &event).await;
    crate::eventually("the segment is summed", || async { counted(&stage).await == 2 }).await;
    let asked = async |cursor: u64, mark: &str| {
        let message = PullScansRequest { cursor, limit: 10, mark: mark.to_owned() };
        stage.directory.pull_scans(&stage.tenant, message).await
    };
    let first = asked(0, "").await.unwrap();
    assert!(!first.mark.is_empty());
    let next = asked(first.next_cursor, &first.mark).await.unwrap();
    assert_eq!((next.summaries.len(), &next.mark), (0, &first.mark));
    let unknown = uuid::Uuid::new_v4().to_string();
    assert_eq!(asked(first.next_cursor, &unknown).await.unwrap_err().code(), "SCANS_RESTARTED");
    let ahead = asked(first.next_cursor + 1, "").await.unwrap_err();
    assert_eq!(ahead.code(), "SCANS_RESTARTED", "a cursor that was never given out");
    assert_eq!(asked(0, "no mark").await.unwrap_err().code(), "MARK_MALFORMED");
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_are_summed_by_batch_country_and_outcome() {
    let stage = Stage::new().await;
    let product = stage.product(None).await;
    let (sealed, s) = publication(&stage, product, 1, true).await;
    let (open, o) = publication(&stage, product, 5, false).await;
    let client = stage.superuser().await;
    let id = product.as_uuid();
    for (rows, event) in [
        (3, format!("now(), {s}, '{id}', 'activated_now', 'phone', 'DE'")),
        (2, format!("now(), {s}, '{id}', 'activated', 'phone', 'DE'")),
        (4, format!("now(), {s}, '{id}', 'activated', 'desktop', 'DE'")),
        (1, format!("now(), {s}, '{id}', 'activated', 'phone', NULL")),
        (6, format!("now(), {s}, '{id}', 'recalled', 'phone', 'DE'")),
        (7, format!("now(), {o}, '{id}', 'unknown', 'phone', 'FR'")),
        (8, format!("now(), NULL, '{id}', 'unknown', 'phone', 'FR'")),
        (9, "now(), NULL, NULL, 'unknown', 'phone', 'FR'".to_owned()),
    ] {
        segment(&client, rows, &event).await;
    }
    crate::eventually("everything with a product is summed", || async { counted(&stage).await == 31 }).await;
    let mut found: Vec<(Key, u64, u64)> =
        sums(&stage).await.iter().map(|row| (key(row), row.scans, row.first_activations)).collect();
    found.sort();
    let mut expected = vec![
        ((Some(sealed.clone()), Some("DE".to_owned()), ScanOutcome::ActivatedNow.into()), 3, 3),
        ((Some(sealed.clone()), Some("DE".to_owned()), ScanOutcome::Activated.into()), 6, 0),
        ((Some(sealed.clone()), None, ScanOutcome::Activated.into()), 1, 0),
        ((Some(sealed), Some("DE".to_owned()), ScanOutcome::Recalled.into()), 6, 0),
        ((Some(open), Some("FR".to_owned()), ScanOutcome::Unpublished.into()), 7, 0),
        ((None, Some("FR".to_owned()), ScanOutcome::Unknown.into()), 8, 0),
    ];
    expected.sort();
    assert_eq!(found, expected);
    let today = Utc::now().date_naive().to_string();
    assert!(sums(&stage).await.iter().all(|row| row.product_id == product.to_string() && row.day == today));
    let foreign = pull(&stage, &tenant("globex"), 0, 5_000).await.unwrap();
    let mark = foreign.mark.clone();
    let nothing = PullScansResponse { mark, ..PullScansResponse::default() };
    assert_eq!(foreign, nothing, "another tenant's sums are not there");
}

#[tokio::test(flavor = "multi_thread")]
async fn real_scans_are_summed_and_machines_are_not() {
    let mut stage = Stage::new().await;
    stage.scan = Scan::start(&stage.db, vec!["127.0.0.0/8"]).await;
    let product = stage.product(None).await;
    let unsealed = stage.published(&terms(product, ActivationMode::FirstScan, 5, 4, 4)).await;
    let codes_of = stage.sealed(product, ActivationMode::FirstScan, 1, 4).await;
    let path = link(&codes_of[0]);
    // A crawler waits for the seal.
    stage.scan.becomes(&path, "genuine").await;
    for _ in 0..3 {
        stage.scan.get(&path).header("x-forwarded-for", "192.0.2.7").send().await.unwrap();
    }
    for unknown in [&codes(0, 1)[0], &unsealed[0]] {
        assert_eq!(stage.scan.get(&link(unknown)).send().await.unwrap().status(), 404);
    }
    crate::eventually("five scans are summed", || async { counted(&stage).await == 5 }).await;
    let mut found: Vec<(i32, bool, u64, u64)> = sums(&stage)
        .await
        .iter()
        .map(|row| (row.outcome, row.batch_id.is_some(), row.scans, row.first_activations))
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            (ScanOutcome::ActivatedNow.into(), true, 1, 1),
            (ScanOutcome::Activated.into(), true, 2, 0),
            (ScanOutcome::Unknown.into(), false, 1, 0),
            (ScanOutcome::Unpublished.into(), true, 1, 0),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_are_pulled_in_pages_and_again_when_they_change() {
    let stage = Stage::new().await;
    let product = stage.product(None).await;
    let (_, s) = publication(&stage, product, 1, true).await;
    let client = stage.superuser().await;
    let event = |country: &str| format!("now(), {s}, NULL, 'activated', 'phone', '{country}'");
    for country in ["DE", "FR", "IT", "ES", "PT"] {
        segment(&client, 2, &event(country)).await;
    }
    crate::eventually("five sums", || async { sums(&stage).await.len() == 5 }).await;
    let (mut cursor, mut pages, mut seen) = (0, 0, Vec::new());
    loop {
        let page = pull(&stage, &stage.tenant, cursor, 2).await.unwrap();
        assert!(page.summaries.iter().all(|row| row.revision > cursor && row.revision <= page.next_cursor));
        seen.extend(page.summaries.iter().map(key));
        cursor = page.next_cursor;
        pages += 1;
        if !page.more {
            break;
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!((seen.len(), pages), (5, 3));
    segment(&client, 3, &event("IT")).await;
    crate::eventually("the change is there", || async {
        pull(&stage, &stage.tenant, cursor, 10).await.unwrap().summaries.iter().any(|row| row.scans == 5)
    })
    .await;
    let page = pull(&stage, &stage.tenant, cursor, 10).await.unwrap();
    assert_eq!((page.summaries.len(), page.more), (1, false), "only what changed");
    assert_eq!(page.summaries[0].country.as_deref(), Some("IT"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_outlive_the_events() {
    let stage = Stage::new().await;
    let (_, s) = publication(&stage, stage.product(None).await, 1, true).await;
    let client = stage.superuser().await;
    segment(&client, 4, &format!("now() - interval '1 day', {s}, NULL, 'activated', 'phone', 'DE'")).await;
    crate::eventually("they are summed", || async { counted(&stage).await == 4 }).await;
    client.batch_execute("SELECT drop_scan_partitions(current_date)").await.unwrap();
    let left: i64 = client.query_one("SELECT count(*) FROM scan_event", &[]).await.unwrap().get(0);
    assert_eq!((left, counted(&stage).await), (0, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_commits_late_is_not_skipped() {
    let stage = Stage::new().await;
    let (_, s) = publication(&stage, stage.product(None).await, 1, true).await;
    let (late, client) = (stage.superuser().await, stage.superuser().await);
    let event = format!("now(), {s}, NULL, 'activated', 'phone', 'DE'");
    late.batch_execute("BEGIN").await.unwrap();
    segment(&late, 5, &event).await;
    // A younger transaction with a higher number is summed meanwhile.
    segment(&client, 2, &event).await;
    crate::eventually("the younger one is summed", || async { counted(&stage).await == 2 }).await;
    late.batch_execute("COMMIT").await.unwrap();
    crate::eventually("the late one too", || async { counted(&stage).await == 7 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_are_summed_once_by_many_and_after_a_kill() {
    let stage = Stage::new().await;
    let (_, s) = publication(&stage, stage.product(None).await, 1, true).await;
    let client = stage.superuser().await;
    let pool = Pool::new(&DbConfig::new(stage.db.url("resolver_directory")), &Handle::current()).unwrap();
    let event = format!("now(), {s}, NULL, 'activated', 'phone', 'DE'");
    // Killed after its sums and before its commit: the triggering statement ends its own connection.
    client
        .batch_execute(
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
                 $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
             CREATE TRIGGER die AFTER UPDATE ON scan_segment FOR EACH STATEMENT EXECUTE FUNCTION die()",
        )
        .await
        .unwrap();
    for _ in 0..30 {
        segment(&client, 10, &event).await;
    }
    let killed = loop {
        // The directory role's own task may be at it, and is killed as well.
        match sum(&pool).await {
            Ok(None) => tokio::task::yield_now().await,
            ended => break ended,
        }
    };
    killed.unwrap_err();
    assert_eq!(counted(&stage).await, 0, "nothing of a transaction that was killed stays");
    client.batch_execute("DROP TRIGGER die ON scan_segment").await.unwrap();
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let pool = pool.clone();
        racing.spawn(async move { sum(&pool).await });
    }
    while let Some(done) = racing.join_next().await {
        done.unwrap().unwrap();
    }
    crate::eventually("all are summed", || async { counted(&stage).await == 300 }).await;
    assert_eq!(sum(&pool).await.unwrap().unwrap_or_default(), Summed::default());
    assert_eq!(counted(&stage).await, 300, "and none of them twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn pull_with_a_limit_or_cursor_out_of_range_is_refused() {
    let stage = Stage::new().await;
    for (cursor, limit, code) in
        [(0, 0, "LIMIT_OUT_OF_RANGE"), (0, 5_001, "LIMIT_OUT_OF_RANGE"), (u64::MAX, 1, "CURSOR_OUT_OF_RANGE")]
    {
        let fault = pull(&stage, &stage.tenant, cursor, limit).await.unwrap_err();
        assert_eq!(fault.code(), code);
    }
}
