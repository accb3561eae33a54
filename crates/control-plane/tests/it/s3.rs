//! Exports in a bucket of a real S3-compatible server, from the request to the file on the person's disk.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use mintmark_devstack::s3::{self, S3Bucket};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use zip::ZipArchive;

use crate::directory::FakeDirectory;
use crate::harness::{Plane, Shop, text};
use crate::stage::{Another, UNITS, count, eventually, order, until, variables};

/// A plane whose packs lie in a bucket, with a sealed batch of 130 units and parts of 50.
struct Stage {
    plane: Plane,
    shop: Shop,
    batch: String,
    bucket: S3Bucket,
    _directory: FakeDirectory,
}

fn with_bucket<'a>(directory: &'a str, bucket: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    let mut all = variables(directory).to_vec();
    all.extend(bucket.iter().map(|(name, value)| (*name, value.as_str())));
    // Nothing of the folder is left to fall back to.
    all.push(("EXPORT_URL_SIGNING_KEY", ""));
    all
}

fn in_bucket(bucket: &S3Bucket) -> Vec<(&'static str, String)> {
    let mut all = bucket.variables().to_vec();
    all.push(("EXPORT_STORE_URL", format!("s3://{}/packs", bucket.name())));
    all
}

impl Stage {
    async fn set() -> Self {
        let (directory, bucket) = (FakeDirectory::start().await, s3::bucket().await);
        let (url, store) = (directory.url(), in_bucket(&bucket));
        let plane = Plane::start_with(&with_bucket(&url, &store)).await;
        let shop = plane.shop().await;
        let batch = order(&plane, &shop, UNITS as u32).await;
        until(&plane, &shop, &format!("/v1/batches/{batch}"), "sealed").await;
        Self { plane, shop, batch, bucket, _directory: directory }
    }

    async fn ready(&self) -> String {
        let path = format!("/v1/batches/{}/exports", self.batch);
        let asked =
            self.plane.as_person(&self.shop.owner, "POST", &path, json!({ "formats": ["csv"] })).await;
        let id = text(&asked.expect(202), "id").to_owned();
        until(&self.plane, &self.shop, &format!("/v1/exports/{id}"), "ready").await;
        id
    }

    async fn download(&self, id: &str) -> Value {
        self.plane.get(&self.shop.owner, &format!("/v1/exports/{id}/download")).await.expect(200)
    }
}

async fn open(method: &str, url: &str) -> Response {
    let client = Client::builder().no_proxy().build().unwrap();
    client.request(method.parse().unwrap(), url).send().await.unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn rows(zip: &[u8]) -> u64 {
    let mut archive = ZipArchive::new(Cursor::new(zip)).unwrap();
    let mut table = Vec::new();
    archive.by_name("codes.csv").unwrap().read_to_end(&mut table).unwrap();
    csv::Reader::from_reader(table.as_slice()).deserialize::<BTreeMap<String, String>>().count() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn export_in_a_bucket_is_fetched_from_the_store_itself() {
    let stage = Stage::set().await;
    let id = stage.ready().await;
    let folder = format!("packs/exports/{}/{id}", stage.shop.owner.tenant);
    let names = ["index.json", "part-0001.zip", "part-0002.zip", "part-0003.zip"];
    assert_eq!(stage.bucket.objects(), names.map(|name| format!("{folder}/{name}")));

    let download = stage.download(&id).await;
    let mut units = 0;
    for (number, part) in download["parts"].as_array().unwrap().iter().enumerate() {
        let url = text(part, "url");
        let (address, query) = url.split_once('?').unwrap();
        let name = format!("part-{:04}.zip", number + 1);
        assert_eq!(address, format!("{}/{}/{folder}/{name}", stage.bucket.endpoint(), stage.bucket.name()));
        assert!(query.contains("X-Amz-Expires=300"), "{query}");
        let response = open("GET", url).await;
        assert_eq!(response.status(), 200);
        let attachment = format!("attachment; filename=\"{}-{name}\"", stage.batch);
        assert_eq!(response.headers()["content-disposition"].to_str().unwrap(), attachment);
        let zip = response.bytes().await.unwrap();
        assert_eq!((part["bytes"].as_u64(), text(part, "sha256")), (Some(zip.len() as u64), &*sha256(&zip)));
        assert_eq!(rows(&zip), part["units"].as_u64().unwrap());
        units += rows(&zip);

        for (method, url) in [("GET", address), ("HEAD", url), ("DELETE", url), ("PUT", url)] {
            assert_eq!(open(method, url).await.status(), 403, "{method}");
        }
        let edited = url.replace("part-0001", "part-0004").replace("part-0002", "part-0001");
        assert_eq!(open("GET", &edited.replace("part-0003", "part-0001")).await.status(), 403);
    }
    assert_eq!(units, UNITS);
    let index = open("GET", text(&download["index"], "url")).await.bytes().await.unwrap();
    assert_eq!(text(&download["index"], "sha256"), sha256(&index));
    let listing = format!("{}/{}?list-type=2", stage.bucket.endpoint(), stage.bucket.name());
    assert_eq!(open("GET", &listing).await.status(), 403, "an unsigned request lists nothing");

    // The control plane serves no files of a bucket, whatever it is asked.
    let ours = format!(
        "{}/objects/exports/{}/{id}/part-0001.zip?expires=9",
        stage.plane.base, stage.shop.owner.tenant
    );
    assert_eq!(open("GET", &ours).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn export_in_a_bucket_is_deleted_at_the_end_of_its_retention() {
    let stage = Stage::set().await;
    let id = stage.ready().await;
    let url = text(&stage.download(&id).await["parts"][0], "url").to_owned();
    let moved = "UPDATE export SET expires_at = now() - interval '1 second';
                 UPDATE jobs SET run_at = now() - interval '1 second' WHERE kind = 'expire-export'";
    stage.plane.sql(moved).await;
    let path = format!("/v1/exports/{id}");
    eventually("the export is expired", async || {
        let view = stage.plane.get(&stage.shop.owner, &path).await.expect(200);
        (text(&view, "state") == "expired").then_some(())
    })
    .await;
    assert_eq!(stage.bucket.objects(), Vec::<String>::new());
    assert_eq!(open("GET", &url).await.status(), 404, "a URL that still lives leads to nothing");
    assert_eq!(
        stage.plane.get(&stage.shop.owner, &format!("{path}/download")).await.problem(410),
        "EXPORT_EXPIRED"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn export_in_a_bucket_goes_on_at_the_first_missing_part() {
    let (directory, bucket) = (FakeDirectory::start().await, s3::bucket().await);
    let (url, store) = (directory.url(), in_bucket(&bucket));
    let all = with_bucket(&url, &store);
    let mut idle = all.clone();
    idle.push(("JOB_WORKERS", "0"));
    let plane = Plane::start_with(&idle).await;
    let shop = plane.shop().await;
    let worker = Another::beside(&plane, &all).await;
    let batch = order(&plane, &shop, UNITS as u32).await;
    until(&plane, &shop, &format!("/v1/batches/{batch}"), "sealed").await;
    worker.end().await;

    let asked = plane
        .as_person(
            &shop.owner,
            "POST",
            &format!("/v1/batches/{batch}/exports"),
            json!({ "formats": ["csv"] }),
        )
        .await
        .expect(202);
    let (path, id) = (format!("/v1/exports/{}", text(&asked, "id")), text(&asked, "id"));
    // A file lies where the store wants to put the second part, so the first worker comes no further than the first.
    let folder = bucket.data().join(bucket.name()).join(format!("packs/exports/{}/{id}", shop.owner.tenant));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("part-0002.zip"), b"in the way").unwrap();
    let worker = Another::beside(&plane, &all).await;
    let one_part = async || (count(&plane, "SELECT count(*) AS n FROM export_part").await == 1).then_some(());
    eventually("the first part is finished", one_part).await;
    worker.end().await;
    let written = || std::fs::metadata(folder.join("part-0001.zip/xl.meta")).unwrap().modified().unwrap();
    let before = written();
    std::fs::remove_file(folder.join("part-0002.zip")).unwrap();

    let _worker = Another::beside(&plane, &all).await;
    until(&plane, &shop, &path, "ready").await;
    assert_eq!(before, written(), "the first part was not written again");
    assert_eq!(bucket.objects().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn export_whose_store_refuses_us_waits_and_heals_with_the_right_key() {
    let (directory, bucket) = (FakeDirectory::start().await, s3::bucket().await);
    let (url, store) = (directory.url(), in_bucket(&bucket));
    let mut wrong = with_bucket(&url, &store);
    wrong.push(("S3_SECRET_ACCESS_KEY", "a-secret-that-is-not-the-right-one"));
    let plane = Plane::start_with(&wrong).await;
    let shop = plane.shop().await;
    let batch = order(&plane, &shop, 10).await;
    until(&plane, &shop, &format!("/v1/batches/{batch}"), "sealed").await;
    let asked = plane
        .as_person(&shop.owner, "POST", &format!("/v1/batches/{batch}/exports"), json!({}))
        .await
        .expect(202);
    eventually("the job has failed once and waits", async || {
        let waiting =
            "SELECT count(*) AS n FROM jobs WHERE kind = 'export-pack' AND state = 'queued' AND attempts > 0";
        (count(&plane, waiting).await == 1).then_some(())
    })
    .await;
    assert_eq!(bucket.objects(), Vec::<String>::new());
    plane.context.shutdown.trigger();

    let worker = Another::beside(&plane, &with_bucket(&url, &store)).await;
    plane.sql("UPDATE jobs SET run_at = now() WHERE state = 'queued'").await;
    let ready = "SELECT count(*) AS n FROM export WHERE state = 'ready'";
    eventually(text(&asked, "id"), async || (count(&plane, ready).await == 1).then_some(())).await;
    worker.end().await;
    assert_eq!(bucket.objects().len(), 2);
}
