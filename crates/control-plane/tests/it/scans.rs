//! Scans of batches and brands, as they are pulled from the directory.

use chrono::{Days, NaiveDate, Utc};
use diesel::QueryableByName;
use diesel::sql_types::Text;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use mintmark_db::{DbConfig, Pool};
use mintmark_devstack::testdb;
use mintmark_wire::directory::v1::{ScanOutcome, ScanSummary};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::directory::FakeDirectory;
use crate::harness::{Plane, Shop, text};
use crate::stage::{Another, count, eventually, order, until, variables};

/// A plane that pulls each second, with a sealed batch.
struct Stage {
    plane: Plane,
    directory: FakeDirectory,
    shop: Shop,
    batch: String,
}

fn each_second(directory_url: &str) -> Vec<(&str, &str)> {
    let mut all = variables(directory_url).to_vec();
    all.push(("SCAN_PULL_SECS", "1"));
    all
}

async fn sealed_batch(plane: &Plane, shop: &Shop) -> String {
    let batch = order(plane, shop, 50).await;
    until(plane, shop, &format!("/v1/batches/{batch}"), "sealed").await;
    batch
}

impl Stage {
    async fn set() -> Self {
        let directory = FakeDirectory::start().await;
        let plane = Plane::start_with(&each_second(&directory.url())).await;
        let shop = plane.shop().await;
        let batch = sealed_batch(&plane, &shop).await;
        Stage { plane, directory, shop, batch }
    }

    /// What the directory shall say of this batch.
    fn scanned(
        &self,
        revision: u64,
        day: NaiveDate,
        country: Option<&str>,
        outcome: ScanOutcome,
        scans: u64,
    ) {
        let row = ScanSummary {
            batch_id: Some(self.batch.clone()),
            ..self.row(revision, day, country, outcome, scans)
        };
        self.directory.scanned(&self.shop.owner.tenant, row);
    }

    /// The same without a batch.
    fn row(
        &self,
        revision: u64,
        day: NaiveDate,
        country: Option<&str>,
        outcome: ScanOutcome,
        scans: u64,
    ) -> ScanSummary {
        ScanSummary {
            day: day.to_string(),
            product_id: self.shop.product.clone(),
            batch_id: None,
            country: country.map(str::to_owned),
            outcome: outcome.into(),
            scans,
            first_activations: if outcome == ScanOutcome::ActivatedNow { scans } else { 0 },
            revision,
        }
    }

    fn of_batch(&self) -> String {
        format!("/v1/batches/{}/scans", self.batch)
    }

    fn of_brand(&self) -> String {
        format!("/v1/brands/{}/scans", self.shop.brand)
    }

    async fn get(&self, path: &str) -> Value {
        self.plane.get(&self.shop.owner, path).await.expect(200)
    }

    /// Waits until the report at `path` counts so many scans.
    async fn until_counted(&self, path: &str, scans: u64) -> Value {
        eventually(&format!("{path} counts {scans} scans"), async || {
            let report = self.get(path).await;
            (report["totals"]["scans"] == scans).then_some(report)
        })
        .await
    }
}

fn today() -> NaiveDate {
    Utc::now().date_naive()
}

fn ago(days: u64) -> NaiveDate {
    today() - Days::new(days)
}

fn sums(scans: u64, first_activations: u64, went_nowhere: u64) -> Value {
    json!({ "scans": scans, "firstActivations": first_activations, "wentNowhere": went_nowhere })
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_of_a_batch_are_told_by_day_and_country() {
    let stage = Stage::set().await;
    stage.scanned(1, ago(1), Some("DE"), ScanOutcome::ActivatedNow, 3);
    stage.scanned(2, ago(1), Some("FR"), ScanOutcome::Activated, 2);
    stage.scanned(3, today(), None, ScanOutcome::Genuine, 4);
    stage.scanned(4, today(), Some("DE"), ScanOutcome::Recalled, 5);
    stage.scanned(5, today(), Some("DE"), ScanOutcome::Unpublished, 1);
    stage.scanned(6, today(), Some("DE"), ScanOutcome::Unconfirmed, 1);
    stage.scanned(7, ago(40), Some("DE"), ScanOutcome::Genuine, 90);
    let report = stage.until_counted(&stage.of_batch(), 16).await;
    assert_eq!(report["from"], ago(29).to_string());
    assert_eq!(report["to"], today().to_string());
    assert_eq!(report["totals"], sums(16, 3, 6));
    assert_eq!(
        report["byDay"],
        json!([
            { "day": ago(1).to_string(), "scans": 5, "firstActivations": 3, "wentNowhere": 0 },
            { "day": today().to_string(), "scans": 11, "firstActivations": 0, "wentNowhere": 6 },
        ])
    );
    assert_eq!(
        report["byCountry"],
        json!([{ "country": "DE", "scans": 10 }, { "country": null, "scans": 4 }, { "country": "FR", "scans": 2 }])
    );
    assert!(report.get("byProduct").is_none(), "a batch has one product");
    assert!(report["asOf"].is_string());
    let earlier = stage.get(&format!("{}?from={}&to={}", stage.of_batch(), ago(40), ago(2))).await;
    assert_eq!(earlier["totals"], sums(90, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_of_a_brand_are_told_by_product_with_codes_that_no_batch_has() {
    let stage = Stage::set().await;
    let (tenant, owner) = (stage.shop.owner.tenant.clone(), &stage.shop.owner);
    let second = stage.plane.product(owner, &stage.shop.brand).await;
    let other_brand = stage.plane.brand(owner).await;
    let foreign = stage.plane.product(owner, &other_brand).await;
    stage.scanned(1, today(), Some("DE"), ScanOutcome::ActivatedNow, 2);
    stage.directory.scanned(&tenant, stage.row(2, today(), Some("DE"), ScanOutcome::Unknown, 7));
    let of = |product: &str, revision| ScanSummary {
        product_id: product.to_owned(),
        ..stage.row(revision, today(), None, ScanOutcome::Unknown, 1)
    };
    stage.directory.scanned(&tenant, of(&second, 3));
    stage.directory.scanned(&tenant, of(&foreign, 4));
    let report = stage.until_counted(&stage.of_brand(), 10).await;
    assert_eq!(report["totals"], sums(10, 2, 8), "{report:#}");
    let products = report["byProduct"].as_array().unwrap();
    let told: Vec<(&str, &Value)> = products.iter().map(|p| (text(p, "productId"), &p["scans"])).collect();
    assert_eq!(told, [(stage.shop.product.as_str(), &json!(9)), (second.as_str(), &json!(1))]);
    assert_eq!((text(&products[0], "name"), text(&products[0], "gtin").len()), ("A product", 14));
    assert_eq!(stage.get(&stage.of_batch()).await["totals"], sums(2, 2, 0), "no batch has the unknown codes");
    let other = stage.get(&format!("/v1/brands/{other_brand}/scans")).await;
    assert_eq!(other["totals"], sums(1, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_are_pulled_again_and_overwritten_by_newer_revisions() {
    let stage = Stage::set().await;
    let tenant = stage.shop.owner.tenant.clone();
    stage.scanned(5, today(), Some("DE"), ScanOutcome::Genuine, 3);
    stage.until_counted(&stage.of_batch(), 3).await;
    stage.scanned(9, today(), Some("DE"), ScanOutcome::Genuine, 8);
    stage.until_counted(&stage.of_batch(), 8).await;
    let pulls = stage.directory.pulls(&tenant);
    assert!(pulls.contains(&0) && pulls.contains(&5), "{pulls:?}");
    // A control plane that was restored pulls what it has already: an older row changes nothing.
    stage
        .plane
        .sql("UPDATE scan_summary SET revision = 20, scans = 11; UPDATE scan_cursor SET revision = 0")
        .await;
    let before = stage.directory.pulls(&tenant).len();
    eventually("everything is pulled again", async || {
        let pulls = stage.directory.pulls(&tenant);
        (pulls[before..].contains(&0) && pulls.last() == Some(&9)).then_some(())
    })
    .await;
    assert_eq!(stage.get(&stage.of_batch()).await["totals"], sums(11, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_of_more_than_a_page_come_whole() {
    let stage = Stage::set().await;
    let rows = 5_100;
    for number in 0..rows {
        let day = ago(number % 300);
        let letter = |n: u64| char::from(b'A' + u8::try_from(n % 26).unwrap());
        let country: String = [letter(number / 300), letter(number / 7_800)].iter().collect();
        stage.scanned(number + 1, day, Some(&country), ScanOutcome::Genuine, 1);
    }
    let path = format!("{}?from={}", stage.of_batch(), ago(299));
    stage.until_counted(&path, rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_wait_for_a_directory_that_is_away_without_a_dead_letter() {
    // A batch that was sealed before this service pulled scans, and a directory that nobody has started.
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let batch = text(&plane.batch(&shop.owner, &shop.brand, &shop.product, 3).await, "id").to_owned();
    plane.sql("UPDATE batch SET state = 'sealed', sealed_at = now(), partition_id = 7").await;
    plane.sql("UPDATE jobs SET state = 'cancelled', finished_at = now()").await;
    let (tenant, product) = (shop.owner.tenant.clone(), shop.product.clone());
    let path = format!("/v1/batches/{batch}/scans");
    let addr = format!("127.0.0.1:{}", mintmark_devstack::free_port());
    let _worker = Another::beside(&plane, &each_second(&format!("http://{addr}"))).await;
    let failing =
        "SELECT count(*) AS n FROM jobs WHERE kind = 'pull-scans' AND state = 'queued' AND attempts > 1";
    eventually("two pulls fail", async || (count(&plane, failing).await == 1).then_some(())).await;
    let directory = FakeDirectory::start_at(addr.parse().unwrap()).await;
    let row = ScanSummary {
        day: today().to_string(),
        product_id: product,
        batch_id: Some(batch.clone()),
        outcome: ScanOutcome::Genuine.into(),
        scans: 6,
        revision: 1,
        ..ScanSummary::default()
    };
    directory.scanned(&tenant, row);
    eventually("the pull goes on", async || {
        let report = plane.get(&shop.owner, &path).await.expect(200);
        (report["totals"]["scans"] == 6).then_some(())
    })
    .await;
    assert_eq!(count(&plane, "SELECT count(*) AS n FROM jobs WHERE state = 'dead'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_of_a_tenant_are_pulled_by_one_job_however_many_batches_and_services() {
    let stage = Stage::set().await;
    let _second = Another::beside(&stage.plane, &each_second(&stage.directory.url())).await;
    for _ in 0..3 {
        sealed_batch(&stage.plane, &stage.shop).await;
    }
    let live = "SELECT count(*) AS n FROM jobs WHERE kind = 'pull-scans' AND state IN ('queued', 'running')";
    let pulls = stage.directory.pulls(&stage.shop.owner.tenant).len();
    eventually("three more pulls", async || {
        assert!(count(&stage.plane, live).await <= 1);
        (stage.directory.pulls(&stage.shop.owner.tenant).len() >= pulls + 3).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_go_on_after_a_pull_that_was_cancelled_when_a_service_starts() {
    let stage = Stage::set().await;
    let queued = "kind = 'pull-scans' AND state = 'queued'";
    eventually("the waiting pull is cancelled", async || {
        stage
            .plane
            .sql(&format!("UPDATE jobs SET state = 'cancelled', finished_at = now() WHERE {queued}"))
            .await;
        let cancelled = "SELECT count(*) AS n FROM jobs WHERE state = 'cancelled'";
        (count(&stage.plane, cancelled).await == 1).then_some(())
    })
    .await;
    stage.scanned(3, today(), None, ScanOutcome::Genuine, 2);
    let _second = Another::beside(&stage.plane, &each_second(&stage.directory.url())).await;
    stage.until_counted(&stage.of_batch(), 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_pulls_that_ended_are_forgotten_and_nothing_else_is() {
    let stage = Stage::set().await;
    eventually("some pulls have ended", async || {
        let ended = "SELECT count(*) AS n FROM jobs WHERE kind = 'pull-scans' AND state = 'succeeded'";
        (count(&stage.plane, ended).await >= 2).then_some(())
    })
    .await;
    stage
        .plane
        .sql("UPDATE jobs SET finished_at = now() - interval '2 hours' WHERE state = 'succeeded'")
        .await;
    let old = "SELECT count(*) AS n FROM jobs WHERE kind = 'pull-scans' AND finished_at < now() - interval '1 hour'";
    eventually("old pulls are gone", async || (count(&stage.plane, old).await == 0).then_some(())).await;
    assert_eq!(count(&stage.plane, "SELECT count(*) AS n FROM jobs WHERE kind = 'mint-batch'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_before_anything_is_sealed_are_none() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let report = plane.get(&shop.owner, &format!("/v1/brands/{}/scans", shop.brand)).await.expect(200);
    assert_eq!(report["totals"], sums(0, 0, 0));
    assert_eq!(
        (&report["byDay"], &report["byProduct"], &report["asOf"]),
        (&json!([]), &json!([]), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_asked_for_other_days_than_there_may_be_are_refused() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    for (query, code, field) in [
        ("from=2025-01-01&to=2026-01-02", "DAYS_OUT_OF_RANGE", "from"),
        ("from=2026-02-02&to=2026-02-01", "DAYS_OUT_OF_RANGE", "from"),
        ("to=1999-02-01", "DAYS_OUT_OF_RANGE", "to"),
        ("from=yesterday", "INVALID_QUERY", "from"),
        ("to=2026-02-30", "INVALID_QUERY", "to"),
    ] {
        let reply = plane.get(&shop.owner, &format!("/v1/brands/{}/scans?{query}", shop.brand)).await;
        assert_eq!(reply.problem(400), code, "{query}");
        assert_eq!(reply.body["field"], field, "{query}");
    }
}

#[derive(QueryableByName)]
struct Table {
    #[diesel(sql_type = Text)]
    name: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn login_cannot_read_any_table_of_the_resolver() {
    let (_roles, resolver) = (testdb::database("control-plane").await, testdb::database("resolver").await);
    let pool = Pool::new(&DbConfig::new(resolver.url("control_app")), &Handle::current()).unwrap();
    assert!(pool.get().await.is_err(), "it cannot even connect");
    // And were it let in by mistake, it could read nothing.
    let superuser = Pool::new(&DbConfig::new(resolver.superuser_url()), &Handle::current()).unwrap();
    let open = format!("GRANT CONNECT ON DATABASE {} TO control_app", resolver.name());
    superuser.get().await.unwrap().batch_execute(&open).await.unwrap();
    let mut conn = pool.get().await.unwrap();
    let query = "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public'";
    let tables: Vec<Table> = diesel::sql_query(query).load(&mut conn).await.unwrap();
    assert!(tables.len() > 10, "{} tables", tables.len());
    for Table { name } in tables {
        let refused = conn.batch_execute(&format!("SELECT FROM {name}")).await.unwrap_err().to_string();
        assert!(refused.contains("permission denied"), "{name}: {refused}");
    }
}
