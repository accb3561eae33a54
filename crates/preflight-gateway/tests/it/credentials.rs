//! Only a PREFLIGHT_JWT opens the gateway, and only for its own tenant.

use std::time::Duration;

use mintmark_auth::{
    API_KEY_PREFIX, CONTROL_PREFIX, DEFAULT_ISSUER, IssuedKey, KeyEnvironment, SessionMinter, SigningKey,
    TokenSource, audience, scope,
};
use mintmark_ids::{ServiceName, UserId};
use mintmark_service::telemetry::metrics_text;
use serde_json::json;

use crate::stage::{OTHER, Stage, TARGET, TENANT, tenant};

const ROUTES: [(&str, &str); 4] = [
    ("GET", "/api/preflight/jobs/policies"),
    ("GET", "/api/preflight/jobs"),
    ("POST", "/api/v2/jobs"),
    ("GET", "/api/v2/jobs/job_manual_verify_101"),
];

#[tokio::test(flavor = "multi_thread")]
async fn any_other_credential_is_refused_with_the_contracts_code() {
    let stage = Stage::start().await;
    let stranger = SigningKey::from_pem(&SigningKey::generate_pem()).unwrap();
    let foreign = TokenSource::new(ServiceName::ControlPlane, stranger, DEFAULT_ISSUER);
    let key = SigningKey::from_pem(&SigningKey::generate_pem()).unwrap();
    let session = SessionMinter::new(key, DEFAULT_ISSUER, Duration::from_secs(60)).mint(
        UserId::new(),
        &tenant(TENANT),
        Duration::from_secs(60),
    );
    let limiter = stage.tokens.for_tenant(audience::RATELIMIT, &tenant(TENANT), &[scope::RATELIMIT_CHECK]);
    let unknown = foreign.for_tenant(audience::PREFLIGHT, &tenant(TENANT), &scope::PREFLIGHT);
    let api_key = IssuedKey::generate(KeyEnvironment::Test);
    assert!(api_key.expose().starts_with(API_KEY_PREFIX));
    let control = format!("{CONTROL_PREFIX}{}", "A".repeat(43));
    let credentials = [
        (session.expose(), false),
        (limiter.expose(), false),
        (unknown.expose(), false),
        (api_key.expose(), true),
        (control.as_str(), true),
        ("not-a-jwt", true),
    ];
    for (method, path) in ROUTES {
        for (bearer, malformed) in credentials {
            let reply = stage.send(method, path, Some(bearer), &[], None).await;
            assert_eq!(reply.problem(401), "AUTHENTICATION_REQUIRED", "{method} {path}");
            let detail = reply.body["detail"].as_str().unwrap();
            assert_eq!(detail.contains("jwt malformed"), malformed, "{detail}");
            assert!(!reply.body.to_string().contains(bearer), "the credential came back");
        }
        let keyed = stage.send(method, path, None, &[("X-API-Key", api_key.expose())], None).await;
        assert_eq!(keyed.problem(401), "AUTHENTICATION_REQUIRED");
        assert_eq!(stage.send(method, path, None, &[], None).await.problem(401), "AUTHENTICATION_REQUIRED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_token_is_a_security_event_that_does_not_show_it() {
    let stage = Stage::start().await;
    let series = r#"security_events_total{event="stray_control_token",place="authorization",service="preflight-gateway"}"#;
    let count = || {
        let text = metrics_text();
        let line = text.lines().find_map(|line| line.strip_prefix(series).map(str::to_owned));
        line.map_or(0, |count| count.trim().parse::<u64>().unwrap())
    };
    let (before, control) = (count(), format!("{CONTROL_PREFIX}{}", "B".repeat(43)));
    let reply = stage.send("GET", "/api/preflight/jobs/policies", Some(&control), &[], None).await;
    assert_eq!(reply.problem(401), "AUTHENTICATION_REQUIRED");
    assert!(count() > before);
    assert!(!metrics_text().contains(&control));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_in_the_header_is_refused_and_named() {
    let stage = Stage::start().await;
    let all = stage.all();
    let own =
        stage.send("GET", "/api/preflight/jobs/policies", Some(&all), &[("X-Tenant-Id", TENANT)], None).await;
    own.expect(200);
    for (method, path) in ROUTES {
        let reply = stage.send(method, path, Some(&all), &[("X-Tenant-Id", OTHER)], None).await;
        assert_eq!(reply.problem(403), "TENANT_MISMATCH", "{method} {path}");
        assert_eq!(reply.body["tenantId"], TENANT);
        assert_eq!(reply.body["field"], "X-Tenant-Id");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_job_does_not_exist() {
    let stage = Stage::start().await;
    stage.create("mine", TARGET).await;
    let other = stage.token(OTHER, &scope::PREFLIGHT).expose().to_owned();
    let reaching = [
        ("GET", "/api/preflight/jobs/mine", None),
        ("GET", "/api/preflight/jobs/mine/report", None),
        ("GET", "/api/preflight/jobs/mine/facts", None),
        ("POST", "/api/preflight/jobs/mine/cancel", None),
        ("PATCH", "/api/preflight/jobs/mine", Some(json!({ "batchId": "b" }))),
        ("GET", "/api/v2/jobs/mine", None),
        ("GET", "/api/v2/jobs/mine/telemetry", None),
        (
            "POST",
            "/api/v2/jobs/mine/telemetry",
            Some(json!({ "eventId": "e", "tool": "t", "repairs": [{ "rule": "R1", "count": 1 }] })),
        ),
    ];
    for (method, path, body) in reaching {
        let reply = stage.send(method, path, Some(&other), &[], body.as_ref()).await;
        assert_eq!(reply.problem(404), "NOT_FOUND", "{method} {path}");
    }
    let list = stage.send("GET", "/api/preflight/jobs", Some(&other), &[], None).await.expect(200);
    assert_eq!(list["items"], json!([]));
    // The name is free for another tenant, and its file is not.
    let body = json!({ "jobId": "mine", "targetFile": TARGET });
    let reply = stage.send("POST", "/api/preflight/jobs", Some(&other), &[], Some(&body)).await;
    assert_eq!(reply.problem(422), "TARGET_NOT_ALLOWED");
}
