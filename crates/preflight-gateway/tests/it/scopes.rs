//! The table of `docs/preflight.md`: each operation under each single scope.

use mintmark_auth::scope::{
    JOBS_READ, JOBS_WRITE, PREFLIGHT, PREFLIGHT_ANALYZE, PREFLIGHT_READ, PREFLIGHT_WRITE,
};
use serde_json::{Value, json};

use crate::stage::{Stage, TARGET, TENANT};

/// Method, path, body, and the scopes of which one serves; the first is the one that a refusal names.
fn operations() -> Vec<(&'static str, &'static str, Option<Value>, Vec<&'static str>)> {
    let record = |job: &str| Some(json!({ "jobId": job, "targetFile": TARGET, "run": false }));
    let event = json!({ "eventId": "e", "tool": "t", "repairs": [{ "rule": "R1", "count": 1 }] });
    vec![
        ("POST", "/api/preflight/jobs", record("v1"), vec![PREFLIGHT_WRITE]),
        ("GET", "/api/preflight/jobs", None, vec![PREFLIGHT_READ]),
        ("GET", "/api/preflight/jobs/policies", None, vec![PREFLIGHT_READ]),
        ("GET", "/api/preflight/jobs/metrics", None, vec![PREFLIGHT_READ]),
        ("GET", "/api/preflight/jobs/there", None, vec![PREFLIGHT_READ]),
        ("PATCH", "/api/preflight/jobs/there", Some(json!({ "batchId": "b" })), vec![PREFLIGHT_WRITE]),
        ("GET", "/api/preflight/jobs/there/report", None, vec![PREFLIGHT_READ]),
        ("GET", "/api/preflight/jobs/there/facts", None, vec![PREFLIGHT_READ]),
        ("POST", "/api/preflight/jobs/there/cancel", None, vec![PREFLIGHT_WRITE]),
        ("GET", "/api/preflight/policies", None, vec![PREFLIGHT_READ]),
        ("GET", "/api/preflight/policies/digital-print", None, vec![PREFLIGHT_READ]),
        ("PUT", "/api/preflight/policies/own", Some(json!({})), vec![PREFLIGHT_WRITE]),
        ("DELETE", "/api/preflight/policies/own", None, vec![PREFLIGHT_WRITE]),
        ("POST", "/api/v2/jobs", record("v2"), vec![JOBS_WRITE, PREFLIGHT_WRITE]),
        ("GET", "/api/v2/jobs/there", None, vec![JOBS_READ, PREFLIGHT_READ]),
        ("POST", "/api/v2/jobs/there/telemetry", Some(event), vec![JOBS_WRITE]),
        ("GET", "/api/v2/jobs/there/telemetry", None, vec![JOBS_READ, PREFLIGHT_READ]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_takes_its_scopes_and_names_the_one_that_is_missing() {
    let stage = Stage::start().await;
    let there = json!({ "jobId": "there", "targetFile": TARGET, "run": false });
    stage.post("/api/preflight/jobs", there).await.expect(201);
    let operations = operations();
    let served = mintmark_preflight_gateway::http::routes();
    let guarded = served.iter().filter(|route| route.access() == mintmark_web::Access::Preflight).count();
    assert_eq!(operations.len(), guarded, "an operation is missing here");
    for (method, path, body, serves) in &operations {
        for scope in PREFLIGHT {
            let token = stage.token(TENANT, &[scope]);
            let reply = stage.send(method, path, Some(token.expose()), &[], body.as_ref()).await;
            if serves.contains(&scope) {
                assert!(![401, 403].contains(&reply.status), "{method} {path} {scope}: {:#}", reply.body);
                continue;
            }
            assert_eq!(reply.problem(403), "FORBIDDEN", "{method} {path} {scope}");
            assert_eq!(reply.body["requiredScope"], serves[0], "{method} {path}");
            assert_eq!(reply.body["grantedScopes"], json!([scope]), "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_runs_needs_analyze_at_creation_and_at_its_later_start() {
    let stage = Stage::start().await;
    let writer = stage.token(TENANT, &[PREFLIGHT_WRITE]).expose().to_owned();
    let v2 = stage.token(TENANT, &[JOBS_WRITE]).expose().to_owned();
    let body = json!({ "jobId": "runs", "targetFile": TARGET });
    for (path, token) in [("/api/preflight/jobs", &writer), ("/api/v2/jobs", &v2)] {
        let reply = stage.send("POST", path, Some(token), &[], Some(&body)).await;
        assert_eq!(reply.problem(403), "FORBIDDEN");
        assert_eq!(reply.body["requiredScope"], PREFLIGHT_ANALYZE);
    }
    let record = json!({ "jobId": "runs", "targetFile": TARGET, "run": false });
    let made = stage.send("POST", "/api/preflight/jobs", Some(&writer), &[], Some(&record)).await.expect(201);
    assert_eq!(made["state"], "recorded");
    let start = json!({ "run": true });
    let path = "/api/preflight/jobs/runs";
    let reply = stage.send("PATCH", path, Some(&writer), &[], Some(&start)).await;
    assert_eq!((reply.problem(403), &reply.body["requiredScope"]), ("FORBIDDEN", &json!(PREFLIGHT_ANALYZE)));
    let analyst = stage.token(TENANT, &[PREFLIGHT_WRITE, PREFLIGHT_ANALYZE]).expose().to_owned();
    let started = stage.send("PATCH", path, Some(&analyst), &[], Some(&start)).await.expect(200);
    assert_eq!(started["state"], "queued");
    let again = stage.send("PATCH", path, Some(&analyst), &[], Some(&start)).await.expect(200);
    assert_eq!(again["revision"], started["revision"], "a start that was made changes nothing");
}
