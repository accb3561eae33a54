//! Telemetry of repaired documents.

use mintmark_auth::scope::{JOBS_READ, JOBS_WRITE};
use serde_json::{Value, json};

use crate::stage::{Stage, TARGET, TENANT};

const PATH: &str = "/api/v2/jobs/mended/telemetry";

fn event(id: &str, count: u32) -> Value {
    json!({ "eventId": id, "tool": "fixer", "toolVersion": "2.1", "repairs": [{ "rule": "R0031", "count": count }],
            "repairedSha256": "ab".repeat(32), "durationMs": 41 })
}

#[tokio::test(flavor = "multi_thread")]
async fn report_is_stored_once_for_each_name() {
    let stage = Stage::start().await;
    stage.create("mended", TARGET).await;
    let writer = stage.token(TENANT, &[JOBS_WRITE]).expose().to_owned();
    let post = async |body: Value| stage.send("POST", PATH, Some(&writer), &[], Some(&body)).await;
    assert_eq!(post(event("e-1", 3)).await.expect(201), json!({ "eventId": "e-1", "created": true }));
    assert_eq!(post(event("e-1", 3)).await.expect(200)["created"], false);
    assert_eq!(post(event("e-1", 4)).await.problem(422), "EVENT_ID_REUSED");
    post(event("e-2", 1)).await.expect(201);
    let reader = stage.token(TENANT, &[JOBS_READ]).expose().to_owned();
    let list = stage.send("GET", PATH, Some(&reader), &[], None).await.expect(200);
    let names: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|event| event["eventId"].as_str().unwrap()).collect();
    assert_eq!(names, ["e-1", "e-2"]);
    assert_eq!(list["items"][0]["repairs"], json!([{ "rule": "R0031", "count": 3 }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn report_with_a_bad_body_names_what_is_wrong() {
    let stage = Stage::start().await;
    stage.create("mended", TARGET).await;
    let with = |member: &str, value: Value| {
        let mut body = event("e", 1);
        body[member] = value;
        body
    };
    for (body, code, field) in [
        (with("eventId", json!("a b")), "EVENT_ID_INVALID", "eventId"),
        (with("tool", json!("")), "TELEMETRY_INVALID", "tool"),
        (with("repairs", json!([])), "TELEMETRY_INVALID", "repairs"),
        (with("repairs", json!([{ "rule": "R1", "count": 0 }])), "TELEMETRY_INVALID", "repairs.count"),
        (with("repairedSha256", json!("zz")), "TELEMETRY_INVALID", "repairedSha256"),
        (with("path", json!("/etc")), "INVALID_BODY", "path"),
    ] {
        let reply = stage.post(PATH, body.clone()).await;
        assert_eq!((reply.problem(400), &reply.body["field"]), (code, &json!(field)), "{body}");
    }
    assert_eq!(stage.post("/api/v2/jobs/none/telemetry", event("e", 1)).await.problem(404), "NOT_FOUND");
}
