//! Creating, listing, changing and cancelling jobs.

use serde_json::{Value, json};

use crate::stage::{Stage, TARGET};

#[tokio::test(flavor = "multi_thread")]
async fn create_with_the_contracts_body_accepts_the_file_that_is_there() {
    let stage = Stage::start().await;
    let body = json!({ "jobId": "job_manual_verify_101", "targetFile": TARGET });
    let reply = stage.post("/api/v2/jobs", body.clone()).await;
    assert_eq!(reply.headers["location"], "/api/v2/jobs/job_manual_verify_101");
    let made = reply.expect(201);
    assert_eq!(made["jobId"], "job_manual_verify_101");
    assert_eq!(made["targetFile"], TARGET);
    assert_eq!((&made["policy"], &made["state"]), (&json!("digital-print"), &json!("queued")));
    assert!(made["target"]["bytes"].as_u64().unwrap() > 100 && made["target"]["etag"].is_string());
    let found = stage.get("/api/v2/jobs/job_manual_verify_101").await.expect(200);
    assert_eq!(found, made);
    assert_eq!(stage.get("/api/preflight/jobs/job_manual_verify_101").await.expect(200), made);
    for what in ["report", "facts"] {
        let reply = stage.get(&format!("/api/preflight/jobs/job_manual_verify_101/{what}")).await;
        assert!(reply.problem(409).ends_with("_NOT_READY"));
        assert_eq!(reply.body["state"], "queued");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn create_again_answers_the_same_job_and_refuses_another_body() {
    let stage = Stage::start().await;
    let intent = json!({ "trimWidthMm": 210.0, "trimHeightMm": 297.0, "bleedMm": 3, "pages": 1 });
    let body = json!({ "jobId": "once", "targetFile": TARGET, "intent": intent, "batchId": "b-1" });
    let first = stage.post("/api/preflight/jobs", body.clone()).await.expect(201);
    assert_eq!(first["intent"]["bleedMm"], 3.0);
    assert_eq!(stage.post("/api/preflight/jobs", body.clone()).await.expect(200), first);
    // The same words by the other version, also when the file is gone by now.
    std::fs::remove_file(stage.folder.path().join("bucket/incoming/validate.pdf")).unwrap();
    assert_eq!(stage.post("/api/v2/jobs", body.clone()).await.expect(200), first);
    for (member, value) in [
        ("batchId", json!("b-2")),
        ("policy", json!("pdfx-4")),
        ("run", json!(false)),
        ("targetFile", json!("s3://ppos-storage/incoming/other.pdf")),
        ("intent", Value::Null),
    ] {
        let mut other = body.clone();
        other[member] = value;
        let reply = stage.post("/api/preflight/jobs", other).await;
        assert_eq!(reply.problem(422), "JOB_ID_REUSED", "{member}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn create_by_many_at_once_makes_one_job() {
    let stage = Stage::start().await;
    let body = json!({ "jobId": "race", "targetFile": TARGET });
    let all = (0..12).map(|_| stage.post("/api/preflight/jobs", body.clone()));
    let replies = futures::future::join_all(all).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 11);
    let rows = stage.sql().await.query("SELECT id FROM jobs", &[]).await.unwrap();
    assert_eq!(rows.len(), 1, "one job in the queue");
}

#[tokio::test(flavor = "multi_thread")]
async fn create_with_a_bad_body_names_what_is_wrong() {
    let stage = Stage::start().await;
    let with = |member: &str, value: Value| {
        let mut body = json!({ "jobId": "bad", "targetFile": TARGET });
        body[member] = value;
        body
    };
    for (body, status, code, field) in [
        (with("jobId", json!("policies")), 400, "JOB_ID_INVALID", "jobId"),
        (with("jobId", json!("metrics")), 400, "JOB_ID_INVALID", "jobId"),
        (with("jobId", json!("a/b")), 400, "JOB_ID_INVALID", "jobId"),
        (with("policy", json!("Digital Print")), 400, "POLICY_INVALID", "policy"),
        (with("policy", json!("nobodys")), 422, "POLICY_UNKNOWN", "policy"),
        (with("policy", json!("digital-print@999")), 422, "POLICY_UNKNOWN", "policy"),
        (with("batchId", json!("")), 400, "BATCH_ID_INVALID", "batchId"),
        (with("intent", json!({ "trimWidthMm": 210 })), 400, "INTENT_INVALID", "intent.trimHeightMm"),
        (with("intent", json!({ "pages": 0 })), 400, "INTENT_INVALID", "intent.pages"),
        (with("intent", json!({ "width": 1 })), 400, "INVALID_BODY", "intent.width"),
        (with("other", json!(1)), 400, "INVALID_BODY", "other"),
        (json!({ "jobId": "bad" }), 400, "INVALID_BODY", "targetFile"),
    ] {
        let reply = stage.post("/api/preflight/jobs", body.clone()).await;
        assert_eq!((reply.problem(status), &reply.body["field"]), (code, &json!(field)), "{body}");
    }
    assert_eq!(stage.get("/api/preflight/jobs").await.expect(200)["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn list_pages_newest_first_and_filters() {
    let stage = Stage::start().await;
    for (at, batch) in ["a", "b", "a", "b", "a"].iter().enumerate() {
        let body = json!({ "jobId": format!("job-{at}"), "targetFile": TARGET, "batchId": batch, "run": at % 2 == 0 });
        stage.post("/api/preflight/jobs", body).await.expect(201);
    }
    let names = |list: &Value| {
        let items = list["items"].as_array().unwrap();
        items.iter().map(|job| job["jobId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut all = Vec::new();
    let mut path = "/api/preflight/jobs?limit=2".to_owned();
    loop {
        let page = stage.get(&path).await.expect(200);
        all.extend(names(&page));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/api/preflight/jobs?limit=2&cursor={cursor}");
    }
    assert_eq!(all, ["job-4", "job-3", "job-2", "job-1", "job-0"]);
    let of_batch = stage.get("/api/preflight/jobs?batchId=b").await.expect(200);
    assert_eq!(names(&of_batch), ["job-3", "job-1"]);
    let recorded = stage.get("/api/preflight/jobs?state=recorded").await.expect(200);
    assert_eq!(names(&recorded), ["job-3", "job-1"]);
    for (query, code) in [
        ("state=new", "INVALID_QUERY"),
        ("limit=0", "INVALID_QUERY"),
        ("cursor=x", "INVALID_CURSOR"),
        ("batchId=", "BATCH_ID_INVALID"),
    ] {
        assert_eq!(stage.get(&format!("/api/preflight/jobs?{query}")).await.problem(400), code, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn update_changes_a_record_until_it_was_started() {
    let stage = Stage::start().await;
    let record = json!({ "jobId": "rec", "targetFile": TARGET, "run": false });
    let made = stage.post("/api/preflight/jobs", record).await.expect(201);
    let path = "/api/preflight/jobs/rec";
    let patch = async |body: Value| stage.send("PATCH", path, Some(&stage.all()), &[], Some(&body)).await;
    let other = stage.get("/api/preflight/jobs/policies").await.expect(200);
    let other =
        other["items"].as_array().unwrap().iter().find(|policy| policy["name"] != "digital-print").unwrap();
    let changed = patch(json!({ "policy": other["name"], "intent": { "pages": 4 }, "batchId": "b-7" }))
        .await
        .expect(200);
    assert_eq!((&changed["policy"], &changed["batchId"]), (&other["name"], &json!("b-7")));
    assert_eq!(changed["intent"]["pages"], 4);
    assert!(changed["revision"].as_u64() > made["revision"].as_u64());
    assert_eq!(patch(json!({ "policy": "nobodys" })).await.problem(422), "POLICY_UNKNOWN");
    assert_eq!(patch(json!({ "run": true })).await.expect(200)["state"], "queued");
    let late = patch(json!({ "intent": { "pages": 5 } })).await;
    assert_eq!((late.problem(409), &late.body["state"]), ("JOB_STARTED", &json!("queued")));
    let none = patch(json!({ "batchId": null })).await.expect(200);
    assert!(none.get("batchId").is_none(), "{none:#}");
    assert_eq!(
        stage
            .send("PATCH", "/api/preflight/jobs/none", Some(&stage.all()), &[], Some(&json!({})))
            .await
            .problem(404),
        "NOT_FOUND"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_what_waits_is_final_and_repeatable() {
    let stage = Stage::start().await;
    stage.create("waits", TARGET).await;
    let record = json!({ "jobId": "rec", "targetFile": TARGET, "run": false });
    stage.post("/api/preflight/jobs", record).await.expect(201);
    for job in ["waits", "rec"] {
        let path = format!("/api/preflight/jobs/{job}/cancel");
        let first = stage.send("POST", &path, Some(&stage.all()), &[], None).await.expect(200);
        assert_eq!(first["state"], "cancelled");
        assert!(first["finishedAt"].is_string());
        let again = stage.send("POST", &path, Some(&stage.all()), &[], None).await.expect(200);
        assert_eq!(again, first);
    }
    let start = stage
        .send("PATCH", "/api/preflight/jobs/rec", Some(&stage.all()), &[], Some(&json!({ "run": true })))
        .await;
    assert_eq!(start.problem(409), "JOB_STARTED");
    stage.work().await;
    stage.create("after", TARGET).await;
    stage.until("after", &["succeeded"]).await;
    assert_eq!(stage.get("/api/preflight/jobs/waits").await.expect(200)["state"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_the_path_are_no_jobs() {
    let stage = Stage::start().await;
    for path in [
        "/api/preflight/jobs/policies/report",
        "/api/preflight/jobs/metrics/cancel",
        "/api/v2/jobs/policies",
        "/api/v2/jobs/metrics",
        "/api/preflight/jobs/a%20b",
    ] {
        let method = if path.ends_with("cancel") { "POST" } else { "GET" };
        assert_eq!(
            stage.send(method, path, Some(&stage.all()), &[], None).await.problem(404),
            "NOT_FOUND",
            "{path}"
        );
    }
}
