//! Which files may be named: buckets and prefixes of the tenant's, existing, not too large, and unchanged until they are read.

use mintmark_devstack::s3;
use serde_json::json;

use crate::documents::tiny;
use crate::stage::{Stage, TARGET, TENANT};

async fn refusal(stage: &Stage, target: &str) -> (u16, String) {
    let reply =
        stage.post("/api/preflight/jobs", json!({ "jobId": "t", "targetFile": target, "run": false })).await;
    assert_eq!(reply.body["field"], "targetFile", "{target}: {:#}", reply.body);
    (reply.status, reply.body["code"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn create_for_a_file_that_may_not_be_named_says_why() {
    let stage = Stage::start_with(&[("PREFLIGHT_MAX_FILE_BYTES", "1000")]).await;
    let bucket = stage.folder.path().join("bucket");
    std::fs::write(bucket.join("globex/theirs.pdf"), b"x").unwrap();
    std::fs::write(bucket.join("outside.pdf"), b"x").unwrap();
    std::fs::create_dir(bucket.join("incoming/folder")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", bucket.join("incoming/link.pdf")).unwrap();
    std::os::unix::fs::symlink(bucket.join("globex"), bucket.join("incoming/way")).unwrap();
    stage.put("large.pdf", &[b'x'; 1001]);
    for (target, status, code) in [
        ("https://example.com/a.pdf", 400, "TARGET_INVALID"),
        ("http://169.254.169.254/latest/meta-data/", 400, "TARGET_INVALID"),
        ("file:///etc/passwd", 400, "TARGET_INVALID"),
        ("s3://ppos-storage/incoming/../globex/theirs.pdf", 400, "TARGET_INVALID"),
        ("s3://ppos-storage/incoming/%2e%2e/outside.pdf", 400, "TARGET_INVALID"),
        ("s3://ppos-storage/incoming/validate.pdf?versionId=1", 400, "TARGET_INVALID"),
        ("s3://user:secret@ppos-storage/incoming/a.pdf", 400, "TARGET_INVALID"),
        ("s3://ppos-storage/", 400, "TARGET_INVALID"),
        ("s3://another-bucket/incoming/validate.pdf", 422, "TARGET_NOT_ALLOWED"),
        ("s3://ppos-storage/outside.pdf", 422, "TARGET_NOT_ALLOWED"),
        ("s3://ppos-storage/globex/theirs.pdf", 422, "TARGET_NOT_ALLOWED"),
        ("s3://ppos-storage/globex/none.pdf", 422, "TARGET_NOT_ALLOWED"),
        ("s3://ppos-storage/incoming/link.pdf", 422, "TARGET_NOT_ALLOWED"),
        ("s3://ppos-storage/incoming/way/theirs.pdf", 422, "TARGET_NOT_ALLOWED"),
        ("s3://ppos-storage/incoming/none.pdf", 422, "TARGET_MISSING"),
        ("s3://ppos-storage/incoming/folder", 422, "TARGET_MISSING"),
        ("s3://ppos-storage/incoming/validate.pdf/more", 422, "TARGET_MISSING"),
        ("s3://ppos-storage/incoming/large.pdf", 422, "TARGET_TOO_LARGE"),
    ] {
        assert_eq!(refusal(&stage, target).await, (status, code.to_owned()), "{target}");
    }
    stage.create("good", TARGET).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_or_went_after_acceptance_fails_its_job_in_words() {
    let stage = Stage::start().await;
    let (changes, goes) = (stage.put("changes.pdf", &tiny("q")), stage.put("goes.pdf", &tiny("Q")));
    stage.create("changes", &changes).await;
    stage.create("goes", &goes).await;
    stage.put("changes.pdf", &tiny("q Q"));
    std::fs::remove_file(stage.folder.path().join("bucket/incoming/goes.pdf")).unwrap();
    stage.work().await;
    for job in ["changes", "goes"] {
        let ended = stage.until(job, &["failed", "succeeded"]).await;
        assert_eq!(ended["failure"]["code"], "TARGET_CHANGED", "{ended:#}");
        assert!(ended["failure"]["message"].as_str().unwrap().contains("create another job"));
        assert!(ended.get("verdict").is_none() && ended["finishedAt"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_bucket_on_a_server_are_pinned_and_read_there() {
    let bucket = s3::bucket().await;
    let buckets = json!({ bucket.name(): { "store": "s3", "tenants": { TENANT: ["in/"] } } }).to_string();
    let mut variables: Vec<(&str, &str)> = vec![("PREFLIGHT_BUCKETS", &buckets)];
    let server = bucket.variables();
    variables.extend(server.iter().map(|(name, value)| (*name, value.as_str())));
    let stage = Stage::start_with(&variables).await;
    let target = |name: &str| format!("s3://{}/in/{name}", bucket.name());
    let upload = async |name: &str, content: Vec<u8>| {
        use mintmark_objects::{Store, StoreConfig};
        use mintmark_service::config::Reader;
        let url = format!("s3://{}", bucket.name());
        let pairs = server.iter().map(|(name, value)| (*name, value.clone()));
        let mut reader =
            Reader::from_pairs(pairs.chain([("APP_ENV", "test".to_owned()), ("EXPORT_STORE_URL", url)]));
        let config = StoreConfig::read(&mut reader, "EXPORT", "http://127.0.0.1");
        let store = Store::open(&reader.finish(config).unwrap()).unwrap();
        store.put(&format!("in/{name}"), content.into()).await.unwrap();
    };
    upload("stays.pdf", tiny("0 0 10 10 re f")).await;
    upload("changes.pdf", tiny("q")).await;
    assert_eq!(refusal(&stage, &target("none.pdf")).await, (422, "TARGET_MISSING".to_owned()));
    let made = stage.create("stays", &target("stays.pdf")).await;
    stage.create("changes", &target("changes.pdf")).await;
    assert!(made["target"]["etag"].as_str().unwrap().len() > 8);
    upload("changes.pdf", tiny("q Q")).await;
    stage.work().await;
    stage.until("stays", &["succeeded"]).await;
    let changed = stage.until("changes", &["failed", "succeeded"]).await;
    assert_eq!(changed["failure"]["code"], "TARGET_CHANGED", "{changed:#}");
}
