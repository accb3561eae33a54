//! How many jobs a tenant has.

use serde_json::json;

use crate::documents::tiny;
use crate::stage::{Stage, TARGET};

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_the_tenants_jobs_by_state_and_verdict() {
    let stage = Stage::start().await;
    let none = stage.get("/api/preflight/jobs/metrics").await.expect(200);
    assert_eq!((&none["jobs"], &none["states"]), (&json!(0), &json!({})));
    stage.create("good", TARGET).await;
    let goes = stage.put("goes.pdf", &tiny("q"));
    stage.create("bad", &goes).await;
    std::fs::remove_file(stage.folder.path().join("bucket/incoming/goes.pdf")).unwrap();
    stage.work().await;
    let good = stage.until("good", &["succeeded"]).await;
    stage.until("bad", &["failed"]).await;
    let record = json!({ "jobId": "rec", "targetFile": TARGET, "run": false });
    stage.post("/api/preflight/jobs", record).await.expect(201);
    let metrics = stage.get("/api/preflight/jobs/metrics").await.expect(200);
    assert_eq!(metrics["jobs"], 3);
    assert_eq!(metrics["states"], json!({ "succeeded": 1, "failed": 1, "recorded": 1 }));
    assert_eq!(metrics["verdicts"], json!({ good["verdict"].as_str().unwrap(): 1 }));
    assert!(metrics["p95RunMs"].as_u64() >= metrics["medianRunMs"].as_u64());
    let later = stage.get("/api/preflight/jobs/metrics?since=2999-01-01T00:00:00Z").await.expect(200);
    assert_eq!(later["jobs"], 0);
    for (since, code) in [("yesterday", "INVALID_QUERY"), ("-9999-01-01T00:00:00Z", "TIME_OUT_OF_RANGE")] {
        let reply = stage.get(&format!("/api/preflight/jobs/metrics?since={since}")).await;
        assert!([code, "INVALID_QUERY"].contains(&reply.problem(400)), "{since}");
    }
}
