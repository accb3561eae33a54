//! `/api/admin/sync/jobs`: preflight jobs are taken over once each, under tokens that are minted for it.

use mintmark_auth::{DEFAULT_ISSUER, SigningKey, TokenSource};
use mintmark_fault::Kind;
use mintmark_ids::{ServiceName, TenantId};
use mintmark_wire::preflight::v1::{JobState, Verdict};
use serde_json::{Value, json};

use crate::gateway::FakeGateway;
use crate::harness::{Plane, Reply, text};
use crate::stage::count;

const SYNC: &str = "/api/admin/sync/jobs";
const DEFAULT: &str = "ppos-production-worker";

/// A plane beside a gateway, with the default tenant.
struct Stage {
    plane: Plane,
    gateway: FakeGateway,
}

impl Stage {
    async fn start() -> Self {
        let gateway = FakeGateway::start().await;
        let plane = Plane::start_with(&[("PREFLIGHT_GATEWAY_GRPC_URL", gateway.url().as_str())]).await;
        gateway.trusts(&plane);
        let tenant = json!({ "id": DEFAULT, "name": "Print production", "tier": "pro" });
        plane.admin("POST", "/api/admin/tenants", tenant).await.expect(201);
        Stage { plane, gateway }
    }

    /// A job of the gateway that passed.
    fn passed(&self, tenant: &str, job: &str) {
        self.gateway.put(tenant, job, JobState::Succeeded, Verdict::Pass);
    }

    async fn sync(&self, body: Value) -> Reply {
        self.plane.admin("POST", SYNC, body).await
    }

    async fn sync_with(&self, upstream: &str, body: Option<&Value>) -> Reply {
        // As in command D: a content type, and mostly no body.
        let mut headers = vec![("x-upstream-token", upstream)];
        if body.is_none() {
            headers.push(("content-type", "application/json"));
        }
        self.plane.send("POST", SYNC, Some(&self.plane.control), &headers, body).await
    }

    async fn token(&self, tenant: &str, scopes: &[&str]) -> String {
        let order = json!({ "tenantId": tenant, "scopes": scopes });
        let made = self.plane.admin("POST", "/api/admin/preflight-tokens", order).await.expect(201);
        text(&made, "token").to_owned()
    }

    async fn registry(&self, query: &str) -> Vec<Value> {
        let list = self.plane.admin("GET", &format!("{SYNC}{query}"), Value::Null).await.expect(200);
        list["items"].as_array().unwrap().clone()
    }
}

/// Received, created and updated of the only tenant.
#[track_caller]
fn counts(synced: &Value) -> (u64, u64, u64) {
    assert_eq!(synced["tenants"].as_array().unwrap().len(), 1, "{synced:#}");
    assert_eq!((&synced["failures"], &synced["skipped"]), (&json!([]), &json!(0)), "{synced:#}");
    let of = |name: &str| synced["tenants"][0][name].as_u64().unwrap();
    (of("received"), of("created"), of("updated"))
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_takes_each_change_over_once_and_in_pages() {
    let stage = Stage::start().await;
    stage.gateway.state().page = 2;
    for job in ["a", "b", "c", "d", "e"] {
        stage.passed(DEFAULT, job);
    }
    let synced = stage.sync(Value::Null).await.expect(200);
    assert_eq!(counts(&synced), (5, 5, 0));
    assert_eq!(synced["tenants"][0]["tenantId"], DEFAULT);
    assert_eq!((&synced["tenants"][0]["cursor"], &synced["tenants"][0]["more"]), (&json!(5), &json!(false)));
    assert_eq!(counts(&stage.sync(Value::Null).await.expect(200)), (0, 0, 0), "nothing is taken over twice");

    stage.gateway.put(DEFAULT, "b", JobState::Failed, Verdict::Unspecified);
    stage.passed(DEFAULT, "f");
    assert_eq!(counts(&stage.sync(json!({ "tenantId": DEFAULT })).await.expect(200)), (2, 1, 1));
    let jobs = stage.registry("").await;
    assert_eq!(jobs.len(), 6);
    let failed = jobs.iter().find(|job| job["jobId"] == "b").unwrap();
    assert_eq!((text(failed, "state"), &failed["verdict"]), ("failed", &Value::Null));
    assert_eq!(failed["failure"]["code"], "FILE_UNREADABLE");
    let passed = jobs.iter().find(|job| job["jobId"] == "a").unwrap();
    assert_eq!(text(passed, "verdict"), "pass");
    assert_eq!(text(passed, "targetFile"), "s3://ppos-storage/incoming/validate.pdf");
    assert_eq!(passed["targetBytes"], 4_242);

    let entries = "SELECT count(*) AS n FROM audit_entry WHERE action = 'PREFLIGHT_JOBS_SYNCED' \
                   AND actor = 'control-token' AND tenant_id = 'ppos-production-worker'";
    assert_eq!(count(&stage.plane, entries).await, 5, "one for each page");
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_sends_the_gateway_a_token_made_for_the_tenant_and_nothing_of_the_operators() {
    let stage = Stage::start().await;
    let (one, other) = (stage.plane.tenant().await, stage.plane.tenant().await);
    let upstream = stage.token(&one, &["jobs:read", "preflight:write"]).await;
    stage.sync_with(&format!("Bearer {upstream}"), None).await.expect(200);
    stage.sync(json!({ "allTenants": true })).await.expect(200);
    let state = stage.gateway.state();
    let mut tenants: Vec<&str> = state.seen.iter().map(|(_, caller)| caller.tenant().as_str()).collect();
    assert_eq!(tenants.remove(0), one);
    tenants.sort_unstable();
    let mut all = [DEFAULT, &one, &other];
    all.sort_unstable();
    assert_eq!(tenants, all, "a token for each tenant");
    for (token, caller) in &state.seen {
        assert_ne!(*token, upstream);
        assert_ne!(*token, stage.plane.control);
        assert_eq!(caller.scopes(), ["jobs:read"]);
        assert_eq!(caller.subject(), "service:control-plane");
    }
    let production = state.seen.iter().find(|(_, caller)| caller.tenant().as_str() == DEFAULT);
    assert_eq!(production.unwrap().1.tier().as_str(), "pro");
    assert!(state.metadata.iter().all(|name| !name.contains("upstream")), "{:?}", state.metadata);
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_is_narrowed_to_the_tenant_and_scopes_of_the_upstream_token() {
    let stage = Stage::start().await;
    let tenant = stage.plane.tenant().await;
    stage.passed(DEFAULT, "theirs");
    stage.passed(&tenant, "ours");
    let upstream = format!("Bearer {}", stage.token(&tenant, &["jobs:read"]).await);
    let synced = stage.sync_with(&upstream, None).await.expect(200);
    assert_eq!((counts(&synced), &synced["tenants"][0]["tenantId"]), ((1, 1, 0), &json!(tenant)));
    let synced = stage.sync_with(&upstream, Some(&json!({ "allTenants": true }))).await.expect(200);
    assert_eq!((counts(&synced), &synced["tenants"][0]["tenantId"]), ((0, 0, 0), &json!(tenant)));
    assert_eq!(stage.registry("").await.len(), 1, "nothing of anybody else");

    let reply = stage.sync_with(&upstream, Some(&json!({ "tenantId": DEFAULT }))).await;
    assert_eq!(reply.problem(403), "TENANT_MISMATCH");
    let narrow = format!("Bearer {}", stage.token(&tenant, &["preflight:write"]).await);
    let reply = stage.sync_with(&narrow, None).await;
    assert_eq!(reply.problem(403), "FORBIDDEN");
    assert_eq!(reply.body["requiredScope"], "jobs:read");
    assert_eq!(reply.body["grantedScopes"], json!(["preflight:write"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_with_an_upstream_token_that_is_no_preflight_token_is_401_and_calls_nobody() {
    let stage = Stage::start().await;
    let shop = stage.plane.shop().await;
    let good = stage.token(DEFAULT, &["jobs:read"]).await;
    let stranger = SigningKey::from_pem(&SigningKey::generate_pem()).unwrap();
    let forged = TokenSource::new(ServiceName::ControlPlane, stranger, DEFAULT_ISSUER);
    let tenant = TenantId::parse(DEFAULT).unwrap();
    let forged = forged.for_tenant("ppos:control", &tenant, &["jobs:read"]);
    for upstream in [
        String::new(),
        good.clone(),
        "Bearer".to_owned(),
        "Bearer swordfish".to_owned(),
        format!("Basic {good}"),
        format!("Bearer {good}x"),
        format!("Bearer {}", shop.owner.session),
        format!("Bearer {}", stage.plane.control),
        format!("Bearer {}", forged.expose()),
    ] {
        let reply = stage.sync_with(&upstream, None).await;
        assert_eq!(reply.problem(401), "AUTHENTICATION_REQUIRED", "{upstream}");
        assert_eq!(reply.body["field"], "X-Upstream-Token", "{upstream}");
    }
    assert_eq!(stage.gateway.state().seen.len(), 0);
    // The token in the place of the operator's opens nothing.
    let reply = stage.plane.send("POST", SYNC, Some(&good), &[], None).await;
    assert_eq!(reply.problem(401), "AUTHENTICATION_REQUIRED");
}

#[tokio::test(flavor = "multi_thread")]
async fn sweep_says_which_tenants_failed_beside_those_that_did_not() {
    let stage = Stage::start().await;
    let (bad, good) = (stage.plane.tenant().await, stage.plane.tenant().await);
    stage.passed(&bad, "x");
    stage.passed(&good, "y");
    stage.gateway.state().broken.insert(bad.clone(), Kind::Internal);
    let synced = stage.sync(json!({ "allTenants": true })).await.expect(200);
    let done: Vec<&str> =
        synced["tenants"].as_array().unwrap().iter().map(|of| text(of, "tenantId")).collect();
    assert_eq!(done, [good.as_str(), DEFAULT], "newest first, without the broken one");
    assert_eq!(synced["failures"][0]["tenantId"], json!(bad));
    assert_eq!(synced["failures"].as_array().unwrap().len(), 1);
    assert!(!synced.to_string().contains("it broke"), "{synced:#}");

    // One that says it is away ends the sweep: what was done stands, the others were not tried.
    stage.gateway.state().broken = [(bad.clone(), Kind::Unavailable)].into();
    let synced = stage.sync(json!({ "allTenants": true })).await.expect(200);
    assert_eq!(synced["failures"][0]["code"], "DATABASE_UNAVAILABLE");
    assert_eq!(
        (synced["tenants"].as_array().unwrap().len(), &synced["skipped"]),
        (1, &json!(1)),
        "{synced:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_while_the_gateway_is_away_is_503_and_changes_nothing() {
    let plane = Plane::start_with(&[("PREFLIGHT_GATEWAY_GRPC_URL", "http://127.0.0.1:1")]).await;
    let tenant = plane.tenant().await;
    for body in [json!({ "tenantId": tenant }), json!({ "allTenants": true })] {
        let reply = plane.admin("POST", SYNC, body).await;
        assert_eq!(reply.problem(503), "PREFLIGHT_UNAVAILABLE");
        assert!(reply.header("retry-after").is_some());
    }
    assert_eq!(count(&plane, "SELECT count(*) AS n FROM preflight_job").await, 0);
    assert_eq!(plane.admin("POST", SYNC, Value::Null).await.problem(404), "NOT_FOUND", "no default tenant");
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_with_a_gateway_that_was_restored_takes_everything_over_again() {
    let stage = Stage::start().await;
    for job in ["a", "b", "c"] {
        stage.passed(DEFAULT, job);
    }
    stage.sync(Value::Null).await.expect(200);
    {
        // The backup had two jobs, and gives revision 3 to another change.
        let mut state = stage.gateway.state();
        state.mark = "two".to_owned();
        state.jobs.get_mut(DEFAULT).unwrap().pop();
    }
    stage.gateway.put(DEFAULT, "a", JobState::Failed, Verdict::Unspecified);
    assert_eq!(counts(&stage.sync(Value::Null).await.expect(200)), (2, 0, 2));
    let jobs = stage.registry("").await;
    assert_eq!(jobs.len(), 3, "what the gateway lost stays here");
    assert_eq!(jobs.iter().find(|job| job["jobId"] == "a").unwrap()["state"], "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn syncs_at_the_same_time_take_each_job_over_once() {
    let stage = Stage::start().await;
    stage.gateway.state().page = 3;
    for job in 0..40 {
        stage.passed(DEFAULT, &format!("job-{job}"));
    }
    let syncs = (0..4).map(|_| stage.sync(Value::Null));
    let mut created = 0;
    for reply in futures::future::join_all(syncs).await {
        created += counts(&reply.expect(200)).1;
    }
    assert_eq!(created, 40);
    assert_eq!(stage.registry("").await.len(), 40);
    assert_eq!(counts(&stage.sync(Value::Null).await.expect(200)), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_refuses_bodies_that_do_not_say_one_thing() {
    let stage = Stage::start().await;
    let both = json!({ "tenantId": DEFAULT, "allTenants": true });
    assert_eq!(stage.sync(both).await.problem(400), "TENANTS_CONFLICT");
    assert_eq!(stage.sync(json!({ "tenant": DEFAULT })).await.problem(400), "INVALID_BODY");
    assert_eq!(stage.sync(json!({ "tenantId": "nobody-here" })).await.problem(404), "NOT_FOUND");
    assert_eq!(counts(&stage.sync(json!({})).await.expect(200)), (0, 0, 0), "as none at all");
}

#[tokio::test(flavor = "multi_thread")]
async fn registry_is_listed_by_tenant_state_and_verdict_in_pages() {
    let stage = Stage::start().await;
    let other = stage.plane.tenant().await;
    for job in ["a", "b", "c"] {
        stage.passed(DEFAULT, job);
    }
    stage.gateway.put(&other, "x", JobState::Running, Verdict::Unspecified);
    stage.sync(json!({ "allTenants": true })).await.expect(200);
    assert_eq!(stage.registry(&format!("?tenantId={other}")).await.len(), 1);
    assert_eq!(stage.registry("?state=succeeded").await.len(), 3);
    assert_eq!(stage.registry("?verdict=pass&state=running").await.len(), 0);
    let first = stage.plane.admin("GET", &format!("{SYNC}?limit=3"), Value::Null).await.expect(200);
    let cursor = text(&first, "nextCursor");
    let rest = stage.registry(&format!("?limit=3&cursor={cursor}")).await;
    assert_eq!((first["items"].as_array().unwrap().len(), rest.len()), (3, 1));
    let reply = stage.plane.admin("GET", &format!("{SYNC}?nothing=1"), Value::Null).await;
    assert_eq!(reply.problem(400), "INVALID_QUERY");
}
