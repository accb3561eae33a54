//! The same over gRPC.

use mintmark_auth::scope::{
    JOBS_READ, JOBS_WRITE, PREFLIGHT, PREFLIGHT_ANALYZE, PREFLIGHT_READ, PREFLIGHT_WRITE,
};
use mintmark_auth::{ServiceToken, audience, scope};
use mintmark_fault::Kind;
use mintmark_wire::preflight::v1::*;

use crate::stage::{OTHER, Stage, TARGET, TENANT, tenant};

fn new(job: &str) -> CreateJobRequest {
    CreateJobRequest { job_id: job.to_owned(), target_file: TARGET.to_owned(), ..Default::default() }
}

fn named(job: &str) -> GetJobRequest {
    GetJobRequest { job_id: job.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_over_grpc_is_the_job_over_http() {
    let stage = Stage::start().await;
    stage.work().await;
    let (rpc, all) = (stage.rpc(), stage.token(TENANT, &PREFLIGHT));
    let made = rpc.create_job(&all, new("both")).await.unwrap();
    assert!(made.created);
    let again = rpc.create_job(&all, new("both")).await.unwrap();
    assert!(!again.created);
    // The same words over HTTP are the same request.
    let body = serde_json::json!({ "jobId": "both", "targetFile": TARGET });
    stage.post("/api/preflight/jobs", body).await.expect(200);
    stage.until("both", &["succeeded"]).await;
    let job = rpc.get_job(&all, named("both")).await.unwrap().job.unwrap();
    assert_eq!(job.state(), JobState::Succeeded);
    assert_eq!((job.policy.as_str(), job.policy_version.as_str()), ("digital-print", "1"));
    let report = rpc.get_report(&all, GetReportRequest { job_id: "both".to_owned() }).await.unwrap();
    let over_http = stage.get("/api/preflight/jobs/both/report").await.expect(200);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&report.report_json).unwrap(), over_http);
    let page = rpc.list_jobs(&all, ListJobsRequest { page_size: 1, ..Default::default() }).await.unwrap();
    assert_eq!((page.jobs.len(), page.next_page_token.as_str()), (1, ""));
    let metrics = rpc.get_metrics(&all, GetMetricsRequest { since: None }).await.unwrap();
    assert_eq!((metrics.jobs, metrics.states.len()), (1, 1));
    let policies = rpc.list_policies(&all, ListPoliciesRequest {}).await.unwrap().policies;
    assert!(policies.len() >= 27 && policies.iter().all(|policy| policy.document_json.is_empty()));
    let cancelled = rpc.cancel_job(&all, CancelJobRequest { job_id: "both".to_owned() }).await.unwrap_err();
    assert_eq!(cancelled.code(), "JOB_ENDED");
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_and_telemetry_over_grpc_are_kept() {
    let stage = Stage::start().await;
    let (rpc, all) = (stage.rpc(), stage.token(TENANT, &PREFLIGHT));
    let ours =
        rpc.get_policy(&all, GetPolicyRequest { policy: "digital-print".to_owned() }).await.unwrap().policy;
    let mut document: serde_json::Value = serde_json::from_str(&ours.unwrap().document_json).unwrap();
    document.as_object_mut().unwrap().remove("id");
    let put = PutPolicyRequest { name: "own".to_owned(), document_json: document.to_string() };
    let stored = rpc.put_policy(&all, put).await.unwrap();
    assert!(stored.created && stored.policy.unwrap().version == "1");
    rpc.delete_policy(&all, DeletePolicyRequest { name: "own".to_owned() }).await.unwrap();
    let gone = rpc.get_policy(&all, GetPolicyRequest { policy: "own".to_owned() }).await.unwrap_err();
    assert_eq!(gone.kind(), Kind::NotFound);
    rpc.create_job(&all, CreateJobRequest { run: Some(false), ..new("rec") }).await.unwrap();
    let update =
        UpdateJobRequest { job_id: "rec".to_owned(), batch_id: Some("b".to_owned()), ..Default::default() };
    assert_eq!(rpc.update_job(&all, update).await.unwrap().job.unwrap().batch_id.as_deref(), Some("b"));
    let event = ReportTelemetryRequest {
        job_id: "rec".to_owned(),
        event_id: "e".to_owned(),
        tool: "fixer".to_owned(),
        repairs: vec![Repair { rule: "R0031".to_owned(), count: 1 }],
        ..Default::default()
    };
    assert!(rpc.report_telemetry(&all, event.clone()).await.unwrap().created);
    assert!(!rpc.report_telemetry(&all, event).await.unwrap().created);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_takes_its_scopes_and_no_other() {
    let stage = Stage::start().await;
    let rpc = stage.rpc();
    let scoped = |scope: &'static str| stage.token(TENANT, &[scope]);
    let forbidden = async |scope: &'static str| -> bool {
        let token: ServiceToken = scoped(scope);
        let refused = |code: &str, kind: Kind| code == "FORBIDDEN" && kind == Kind::Forbidden;
        let create = rpc
            .create_job(&token, CreateJobRequest { run: Some(false), ..new(&scope.replace(':', "-")) })
            .await;
        create.is_err_and(|fault| refused(fault.code(), fault.kind()))
    };
    for (scope, refused) in [
        (PREFLIGHT_WRITE, false),
        (JOBS_WRITE, false),
        (PREFLIGHT_READ, true),
        (JOBS_READ, true),
        (PREFLIGHT_ANALYZE, true),
    ] {
        assert_eq!(forbidden(scope).await, refused, "{scope}");
    }
    let running = rpc.create_job(&scoped(PREFLIGHT_WRITE), new("runs")).await.unwrap_err();
    assert_eq!(running.members()["requiredScope"], PREFLIGHT_ANALYZE);
    let read = rpc.get_job(&scoped(JOBS_READ), named("none")).await.unwrap_err();
    assert_eq!(read.kind(), Kind::NotFound);
    let list = rpc.list_jobs(&scoped(JOBS_READ), ListJobsRequest::default()).await.unwrap_err();
    assert_eq!(list.members()["requiredScope"], PREFLIGHT_READ);
    let other = stage.token(OTHER, &PREFLIGHT);
    rpc.create_job(&stage.token(TENANT, &PREFLIGHT), new("mine")).await.unwrap();
    assert_eq!(rpc.get_job(&other, named("mine")).await.unwrap_err().kind(), Kind::NotFound);
    // A token for another service opens nothing, which is our own mistake and not the caller's.
    let limiter = stage.tokens.for_tenant(audience::RATELIMIT, &tenant(TENANT), &[scope::RATELIMIT_CHECK]);
    assert_eq!(rpc.get_job(&limiter, named("mine")).await.unwrap_err().kind(), Kind::Internal);
}
