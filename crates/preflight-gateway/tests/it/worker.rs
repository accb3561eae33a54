//! From acceptance to report, and what becomes of jobs whose worker or engine does not survive.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command};

use serde_json::{Value, json};

use crate::documents::tiny;
use crate::stage::{OTHER, Stage, TARGET};

/// A worker as a process of its own.
fn process(stage: &Stage, further: &[(&str, &str)]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_preflight-gateway"));
    command.arg("worker").env_clear().envs(stage.variables().iter().cloned()).env("OPS_ADDR", "127.0.0.1:0");
    mintmark_devstack::logs::configured(stage.variables());
    let (output, errors) = mintmark_devstack::logs::output("preflight-worker");
    command.envs(further.iter().copied()).stdout(output).stderr(errors);
    command.spawn().unwrap()
}

/// A program that stands for an engine which never gets anywhere, but answers its probe.
fn stuck(stage: &Stage) -> String {
    let engine = crate::stage::program("preflight-engine");
    let path = stage.folder.path().join("stuck");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *--probe*) exec {} \"$@\";; esac\nexec /bin/sleep 600\n",
        engine.display()
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_ends_with_facts_and_a_report_under_its_policy() {
    let stage = Stage::start().await;
    stage.work().await;
    let made = stage.create("first", TARGET).await;
    let ended = stage.until("first", &["succeeded", "failed"]).await;
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    assert_eq!(ended["contentSha256"].as_str().unwrap().len(), 64);
    assert!(ended["startedAt"].is_string() && ended["finishedAt"].is_string());
    assert!(ended["revision"].as_u64().unwrap() >= made["revision"].as_u64().unwrap() + 2);
    let report = stage.get("/api/preflight/jobs/first/report").await;
    assert!(report.headers["etag"].to_str().unwrap().starts_with("\"report-"));
    let report = report.expect(200);
    assert_eq!(report["verdict"], ended["verdict"]);
    assert_eq!(report["policy"]["id"], "digital-print");
    assert!(!report["rules"].as_array().unwrap().is_empty());
    let facts = stage.get("/api/preflight/jobs/first/facts").await.expect(200);
    assert_eq!(facts["pages"].as_array().unwrap().len(), 1);
    assert_eq!(facts["file"]["readable"], true);
    assert_eq!(facts["engine"], ended["engineVersion"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_is_read_once_and_judged_by_each_policy() {
    let stage = Stage::start().await;
    stage.work().await;
    let copy = stage.put("copy.pdf", &tiny("0 0 m"));
    stage.create("one", TARGET).await;
    stage.until("one", &["succeeded"]).await;
    let policies = stage.get("/api/preflight/jobs/policies").await.expect(200);
    let other = policies["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|policy| policy["name"] != "digital-print")
        .unwrap();
    let body =
        json!({ "jobId": "two", "targetFile": copy, "policy": other["name"], "intent": { "pages": 2 } });
    stage.post("/api/preflight/jobs", body).await.expect(201);
    let two = stage.until("two", &["succeeded"]).await;
    let one = stage.get("/api/preflight/jobs/one").await.expect(200);
    assert_eq!(one["contentSha256"], two["contentSha256"]);
    let rows = stage.sql().await.query("SELECT 1 FROM preflight_facts", &[]).await.unwrap();
    assert_eq!(rows.len(), 1, "facts are kept once");
    let report = stage.get("/api/preflight/jobs/two/report").await.expect(200);
    assert_eq!(report["policy"]["id"], other["name"]);
    // The intent is judged too: the file has one page.
    assert!(report["findings"].to_string().contains("P0"), "{report:#}");
    // Facts belong to nobody, and are reached through a job of one's own alone.
    let theirs = stage.token(OTHER, &mintmark_auth::scope::PREFLIGHT).expose().to_owned();
    let reply = stage.send("GET", "/api/preflight/jobs/one/facts", Some(&theirs), &[], None).await;
    assert_eq!(reply.problem(404), "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_the_tenants_own_judges_in_the_version_that_was_accepted() {
    let stage = Stage::start().await;
    let digital = stage.get("/api/preflight/policies/digital-print").await.expect(200);
    let mut own = digital["document"].clone();
    for member in ["id", "version"] {
        own.as_object_mut().unwrap().remove(member);
    }
    own["title"] = json!("Ours");
    let put = async |policy: &Value| {
        stage.send("PUT", "/api/preflight/policies/ours", Some(&stage.all()), &[], Some(policy)).await
    };
    put(&own).await.expect(201);
    let body = json!({ "jobId": "own", "targetFile": TARGET, "policy": "ours" });
    let made = stage.post("/api/preflight/jobs", body).await.expect(201);
    assert_eq!(made["policyVersion"], "1");
    own["title"] = json!("Ours, changed");
    put(&own).await.expect(201);
    stage.send("DELETE", "/api/preflight/policies/ours", Some(&stage.all()), &[], None).await.expect(204);
    stage.work().await;
    stage.until("own", &["succeeded"]).await;
    let report = stage.get("/api/preflight/jobs/own/report").await.expect(200);
    assert_eq!((&report["policy"]["version"], &report["policy"]["title"]), (&json!(1), &json!("Ours")));
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_a_running_job_stops_it() {
    let stage = Stage::start().await;
    let stuck = stuck(&stage);
    stage.work_with(&[("PREFLIGHT_ENGINE", &stuck)]).await;
    stage.create("runs", TARGET).await;
    stage.until("runs", &["running"]).await;
    let asked = stage.send("POST", "/api/preflight/jobs/runs/cancel", Some(&stage.all()), &[], None).await;
    assert!(["running", "cancelled"].contains(&asked.expect(200)["state"].as_str().unwrap()));
    stage.until("runs", &["cancelled"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_holds_the_engine_up_ends_in_a_clear_verdict() {
    let stage = Stage::start().await;
    let stuck = stuck(&stage);
    stage.work_with(&[("PREFLIGHT_ENGINE", &stuck), ("PREFLIGHT_ENGINE_WALL_SECS", "1")]).await;
    stage.create("poison", TARGET).await;
    let ended = stage.until("poison", &["failed", "succeeded"]).await;
    assert_eq!(ended["failure"]["code"], "ENGINE_LIMIT_WALL_CLOCK", "{ended:#}");
    assert_eq!(ended["contentSha256"].as_str().unwrap().len(), 64, "the file was read");
    let attempts = stage.sql().await.query_one("SELECT attempts FROM jobs", &[]).await.unwrap();
    assert_eq!(
        attempts.get::<_, i32>(0),
        3,
        "the machine may be to blame, so it is tried again, and not for ever"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_loses_no_job() {
    let stage = Stage::start().await;
    let stuck = stuck(&stage);
    let mut first = process(&stage, &[("PREFLIGHT_ENGINE", &stuck)]);
    stage.create("taken", TARGET).await;
    stage.until("taken", &["running"]).await;
    first.kill().unwrap();
    first.wait().unwrap();
    let mut second = process(&stage, &[]);
    let ended = stage.until("taken", &["succeeded", "failed"]).await;
    second.kill().unwrap();
    second.wait().unwrap();
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    let row = stage.sql().await.query_one("SELECT fence FROM jobs", &[]).await.unwrap();
    assert!(row.get::<_, i64>(0) >= 2, "another claim took it over");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_killed_costs_an_attempt_and_no_job() {
    let stage = Stage::start().await;
    let path = stage.folder.path().join("dies-once");
    let (engine, mark) = (crate::stage::program("preflight-engine"), stage.folder.path().join("died"));
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *--probe*) exec {0} \"$@\";; esac\nif [ ! -e {1} ]; then : > {1}; kill -9 $$; fi\nexec {0} \"$@\"\n",
        engine.display(),
        mark.display()
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    stage.work_with(&[("PREFLIGHT_ENGINE", path.to_str().unwrap())]).await;
    stage.create("survives", TARGET).await;
    let ended = stage.until("survives", &["succeeded", "failed"]).await;
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    assert!(mark.exists(), "it died once");
}
