//! Policies: ours are there, a tenant's own is validated, versioned and its own.

use mintmark_auth::scope;
use serde_json::{Value, json};

use crate::stage::{OTHER, Reply, Stage, TARGET};

async fn put(stage: &Stage, name: &str, policy: &Value) -> Reply {
    stage.send("PUT", &format!("/api/preflight/policies/{name}"), Some(&stage.all()), &[], Some(policy)).await
}

/// One of ours, as a tenant would send it.
async fn copied(stage: &Stage) -> Value {
    let digital = stage.get("/api/preflight/policies/digital-print").await.expect(200);
    let mut document = digital["document"].clone();
    let members = document.as_object_mut().unwrap();
    members.remove("id");
    members.remove("version");
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn list_has_every_built_in_policy() {
    let stage = Stage::start().await;
    let list = stage.get("/api/preflight/jobs/policies").await.expect(200);
    assert_eq!(stage.get("/api/preflight/policies").await.expect(200), list);
    let items = list["items"].as_array().unwrap();
    assert!(items.len() >= 27, "23 variants, three standards, digital-print: {}", items.len());
    assert!(items.iter().all(|policy| policy["builtIn"] == true && policy.get("document").is_none()));
    for item in items {
        let (name, version) = (item["name"].as_str().unwrap(), item["version"].as_str().unwrap());
        let one = stage.get(&format!("/api/preflight/policies/{name}@{version}")).await.expect(200);
        assert_eq!(one["document"]["id"], name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn put_makes_versions_that_never_change() {
    let stage = Stage::start().await;
    let mut policy = copied(&stage).await;
    policy["title"] = json!("Flyers");
    let first = put(&stage, "flyers", &policy).await;
    assert_eq!(first.headers["etag"], "\"flyers-1\"");
    let first = first.expect(201);
    assert_eq!((&first["version"], &first["builtIn"]), (&json!("1"), &json!(false)));
    assert_eq!(put(&stage, "flyers", &policy).await.expect(200), first, "the same is the same version");
    policy["title"] = json!("Flyers, stricter");
    assert_eq!(put(&stage, "flyers", &policy).await.expect(201)["version"], "2");
    assert_eq!(stage.get("/api/preflight/policies/flyers@1").await.expect(200), first);
    assert_eq!(stage.get("/api/preflight/policies/flyers").await.expect(200)["version"], "2");
    policy["version"] = json!(2);
    policy["title"] = json!("Flyers, from an old version");
    let conflict = put(&stage, "flyers", &policy).await;
    assert_eq!(
        (conflict.problem(409), &conflict.body["nextVersion"]),
        ("POLICY_VERSION_CONFLICT", &json!(3))
    );

    let path = "/api/preflight/policies/flyers";
    stage.send("DELETE", path, Some(&stage.all()), &[], None).await.expect(204);
    stage.send("DELETE", path, Some(&stage.all()), &[], None).await.expect(204);
    for gone in ["flyers", "flyers@1"] {
        assert_eq!(stage.get(&format!("/api/preflight/policies/{gone}")).await.problem(404), "NOT_FOUND");
        let body = json!({ "jobId": "late", "targetFile": TARGET, "policy": gone });
        assert_eq!(stage.post("/api/preflight/jobs", body).await.problem(422), "POLICY_UNKNOWN");
    }
    policy.as_object_mut().unwrap().remove("version");
    assert_eq!(put(&stage, "flyers", &policy).await.expect(201)["version"], "3", "no number is used twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn put_refuses_what_is_no_policy_and_says_all_of_it() {
    let stage = Stage::start().await;
    let good = copied(&stage).await;
    let with = |member: &str, value: Value| {
        let mut policy = good.clone();
        policy[member] = value;
        policy
    };
    for (policy, at) in [
        (json!({}), ""),
        (with("id", json!("another")), "/id"),
        (with("schema", json!(99)), "/schema"),
        (with("title", json!("")), "/title"),
        (with("rules", json!([])), "/rules"),
        (with("surprise", json!(1)), ""),
    ] {
        let reply = put(&stage, "mine", &policy).await;
        assert_eq!(reply.problem(400), "POLICY_INVALID", "{policy}");
        assert_eq!(reply.body["problems"][0]["at"], at, "{:#}", reply.body);
    }
    assert_eq!(put(&stage, "mine", &json!([])).await.problem(400), "INVALID_BODY");
    let mut two = with("title", json!(""));
    two["rules"] = json!([]);
    let reply = put(&stage, "mine", &two).await;
    assert_eq!(reply.body["problems"].as_array().unwrap().len(), 2);
    for name in ["Mine", "9mine", "mine-", "a_b"] {
        assert_eq!(put(&stage, name, &good).await.problem(400), "POLICY_NAME_INVALID", "{name}");
    }
    assert_eq!(put(&stage, "digital-print", &good).await.problem(409), "POLICY_NAME_TAKEN");
    let path = "/api/preflight/policies/digital-print";
    assert_eq!(
        stage.send("DELETE", path, Some(&stage.all()), &[], None).await.problem(409),
        "POLICY_NAME_TAKEN"
    );
    let path = "/api/preflight/policies/none";
    assert_eq!(stage.send("DELETE", path, Some(&stage.all()), &[], None).await.problem(404), "NOT_FOUND");
    let large = with("summary", json!("x".repeat(70_000)));
    assert_eq!(put(&stage, "mine", &large).await.status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_policy_is_nobody_elses() {
    let stage = Stage::start().await;
    put(&stage, "secret", &copied(&stage).await).await.expect(201);
    let other = stage.token(OTHER, &scope::PREFLIGHT).expose().to_owned();
    let reply = stage.send("GET", "/api/preflight/policies/secret", Some(&other), &[], None).await;
    assert_eq!(reply.problem(404), "NOT_FOUND");
    let reply = stage.send("DELETE", "/api/preflight/policies/secret", Some(&other), &[], None).await;
    assert_eq!(reply.problem(404), "NOT_FOUND");
    let list = stage.send("GET", "/api/preflight/jobs/policies", Some(&other), &[], None).await.expect(200);
    assert!(list["items"].as_array().unwrap().iter().all(|policy| policy["name"] != "secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_are_published_to_anybody() {
    let stage = Stage::start().await;
    for name in ["facts", "report", "policy"] {
        let reply = stage.send("GET", &format!("/api/preflight/schemas/{name}"), None, &[], None).await;
        assert_eq!(reply.headers["content-type"], "application/schema+json");
        assert!(reply.expect(200)["properties"].is_object(), "{name}");
    }
    assert_eq!(
        stage.send("GET", "/api/preflight/schemas/other", None, &[], None).await.problem(404),
        "NOT_FOUND"
    );
}
