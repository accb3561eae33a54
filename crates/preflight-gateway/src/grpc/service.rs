//! `mintmark.preflight.v1.PreflightService`: authorises, translates, and calls the use cases.

use mintmark_auth::action::{ReportRepair, SubmitPreflight, TrackPreflight, ViewPreflight, WritePreflight};
use mintmark_auth::policy::{Action, OnTenant};
use mintmark_auth::{Principal, scope};
use mintmark_fault::Fault;
use mintmark_rpc::{Rpc, caller, status};
use mintmark_wire::preflight::v1::preflight_service_server::{PreflightService, PreflightServiceServer};
use mintmark_wire::preflight::v1::*;
use tonic::{Request, Response, Status};

use super::views;
use crate::app::jobs::Jobs;
use crate::app::names::{JobKey, PolicyRef};
use crate::app::permit;
use crate::app::policies::Policies;

/// The service, and the table of what its methods need.
pub struct PreflightRpc {
    jobs: Jobs,
    policies: Policies,
}

impl PreflightRpc {
    /// What each method needs.
    pub const METHODS: [Rpc; 13] = [
        Rpc { path: "/mintmark.preflight.v1.PreflightService/CreateJob", scope: scope::PREFLIGHT_WRITE },
        Rpc { path: "/mintmark.preflight.v1.PreflightService/GetJob", scope: scope::PREFLIGHT_READ },
        Rpc { path: "/mintmark.preflight.v1.PreflightService/ListJobs", scope: scope::PREFLIGHT_READ },
        Rpc { path: "/mintmark.preflight.v1.PreflightService/GetReport", scope: scope::PREFLIGHT_READ },
        Rpc { path: "/mintmark.preflight.v1.PreflightService/UpdateJob", scope: scope::PREFLIGHT_WRITE },
        Rpc { path: "/mintmark.preflight.v1.PreflightService/CancelJob", scope: scope::PREFLIGHT_WRITE },
        Rpc { path: "/mintmark.preflight.v1.PreflightService/ListPolicies", scope: scope::PREFLIGHT_READ },
        Rpc { path: "/mintmark.preflight.v1.PreflightService/GetPolicy", scope: scope::PREFLIGHT_READ },
        Rpc { path: "/mintmark.preflight.v1.PreflightService/PutPolicy", scope: scope::PREFLIGHT_WRITE },
        Rpc { path: "/mintmark.preflight.v1.PreflightService/DeletePolicy", scope: scope::PREFLIGHT_WRITE },
        Rpc { path: "/mintmark.preflight.v1.PreflightService/GetMetrics", scope: scope::PREFLIGHT_READ },
        Rpc { path: "/mintmark.preflight.v1.PreflightService/ReportTelemetry", scope: scope::JOBS_WRITE },
        Rpc { path: "/mintmark.preflight.v1.PreflightService/ListChangedJobs", scope: scope::JOBS_READ },
    ];

    /// What serves too.
    pub const ALSO: [Rpc; 3] = [
        Rpc { path: "/mintmark.preflight.v1.PreflightService/CreateJob", scope: scope::JOBS_WRITE },
        Rpc { path: "/mintmark.preflight.v1.PreflightService/GetJob", scope: scope::JOBS_READ },
        Rpc { path: "/mintmark.preflight.v1.PreflightService/ListChangedJobs", scope: scope::PREFLIGHT_READ },
    ];

    /// By what the control plane takes jobs over: work of its own, which counts for no tenant.
    pub const OWN_WORK: [&str; 1] = ["/mintmark.preflight.v1.PreflightService/ListChangedJobs"];

    /// The tonic service.
    pub fn server(jobs: Jobs, policies: Policies) -> PreflightServiceServer<Self> {
        PreflightServiceServer::new(PreflightRpc { jobs, policies })
    }
}

/// Who calls, when the policy lets them do `A`: before that nothing of the message is judged.
fn allowed<A: Action<On = OnTenant>, T>(request: Request<T>) -> Result<(Principal, T), Status> {
    let who = caller(&request)?;
    permit::<A>(&who).map_err(status)?;
    Ok((who, request.into_inner()))
}

fn key(text: &str) -> Result<JobKey, Status> {
    JobKey::of_path(text).map_err(status)
}

#[tonic::async_trait]
impl PreflightService for PreflightRpc {
    async fn create_job(
        &self,
        request: Request<CreateJobRequest>,
    ) -> Result<Response<CreateJobResponse>, Status> {
        let (who, message) = allowed::<SubmitPreflight, _>(request)?;
        let order = views::order(message).map_err(status)?;
        let (job, created) = self.jobs.submit(&who, &order).await.map_err(status)?;
        Ok(Response::new(CreateJobResponse { job: Some(views::job(job)), created }))
    }

    async fn get_job(&self, request: Request<GetJobRequest>) -> Result<Response<GetJobResponse>, Status> {
        let (who, message) = allowed::<TrackPreflight, _>(request)?;
        let job = self.jobs.track(&who, &key(&message.job_id)?).await.map_err(status)?;
        Ok(Response::new(GetJobResponse { job: Some(views::job(job)) }))
    }

    async fn list_jobs(
        &self,
        request: Request<ListJobsRequest>,
    ) -> Result<Response<ListJobsResponse>, Status> {
        let (who, message) = allowed::<ViewPreflight, _>(request)?;
        let (wanted, size, after) = views::page(&message).map_err(status)?;
        let jobs = self.jobs.list(&who, &wanted, after, i64::from(size) + 1).await.map_err(status)?;
        Ok(Response::new(views::listed(jobs, size)))
    }

    async fn get_report(
        &self,
        request: Request<GetReportRequest>,
    ) -> Result<Response<GetReportResponse>, Status> {
        let (who, message) = allowed::<ViewPreflight, _>(request)?;
        let (job, report_json) = self.jobs.report(&who, &key(&message.job_id)?).await.map_err(status)?;
        Ok(Response::new(GetReportResponse { job: Some(views::job(job)), report_json }))
    }

    async fn update_job(
        &self,
        request: Request<UpdateJobRequest>,
    ) -> Result<Response<UpdateJobResponse>, Status> {
        let (who, message) = allowed::<WritePreflight, _>(request)?;
        let key = key(&message.job_id)?;
        let edit = views::edit(message).map_err(status)?;
        let job = self.jobs.update(&who, &key, &edit).await.map_err(status)?;
        Ok(Response::new(UpdateJobResponse { job: Some(views::job(job)) }))
    }

    async fn cancel_job(
        &self,
        request: Request<CancelJobRequest>,
    ) -> Result<Response<CancelJobResponse>, Status> {
        let (who, message) = allowed::<WritePreflight, _>(request)?;
        let job = self.jobs.cancel(&who, &key(&message.job_id)?).await.map_err(status)?;
        Ok(Response::new(CancelJobResponse { job: Some(views::job(job)) }))
    }

    async fn list_policies(
        &self,
        request: Request<ListPoliciesRequest>,
    ) -> Result<Response<ListPoliciesResponse>, Status> {
        let (who, _) = allowed::<ViewPreflight, _>(request)?;
        let policies = self.policies.list(&who).await.map_err(status)?;
        let policies = policies.into_iter().map(|policy| views::policy(policy, false)).collect();
        Ok(Response::new(ListPoliciesResponse { policies }))
    }

    async fn get_policy(
        &self,
        request: Request<GetPolicyRequest>,
    ) -> Result<Response<GetPolicyResponse>, Status> {
        let (who, message) = allowed::<ViewPreflight, _>(request)?;
        let wanted: PolicyRef =
            message.policy.parse().map_err(|_: Fault| status(Fault::not_found("policy")))?;
        let policy = self.policies.find(&who, &wanted).await.map_err(status)?;
        Ok(Response::new(GetPolicyResponse { policy: Some(views::policy(policy, true)) }))
    }

    async fn put_policy(
        &self,
        request: Request<PutPolicyRequest>,
    ) -> Result<Response<PutPolicyResponse>, Status> {
        let (who, message) = allowed::<WritePreflight, _>(request)?;
        let put = self.policies.put(&who, &message.name, &message.document_json).await;
        let (policy, created) = put.map_err(status)?;
        Ok(Response::new(PutPolicyResponse { policy: Some(views::policy(policy, true)), created }))
    }

    async fn delete_policy(
        &self,
        request: Request<DeletePolicyRequest>,
    ) -> Result<Response<DeletePolicyResponse>, Status> {
        let (who, message) = allowed::<WritePreflight, _>(request)?;
        self.policies.withdraw(&who, &message.name).await.map_err(status)?;
        Ok(Response::new(DeletePolicyResponse {}))
    }

    async fn get_metrics(
        &self,
        request: Request<GetMetricsRequest>,
    ) -> Result<Response<GetMetricsResponse>, Status> {
        let (who, message) = allowed::<ViewPreflight, _>(request)?;
        let since = views::since(message.since).map_err(status)?;
        let metrics = self.jobs.metrics(&who, since).await.map_err(status)?;
        Ok(Response::new(views::counted(&metrics)))
    }

    async fn report_telemetry(
        &self,
        request: Request<ReportTelemetryRequest>,
    ) -> Result<Response<ReportTelemetryResponse>, Status> {
        let (who, message) = allowed::<ReportRepair, _>(request)?;
        let key = key(&message.job_id)?;
        let (event_id, event) = views::event(message).map_err(status)?;
        let created = self.jobs.report_repair(&who, &key, &event_id, &event).await.map_err(status)?;
        Ok(Response::new(ReportTelemetryResponse { created }))
    }

    async fn list_changed_jobs(
        &self,
        request: Request<ListChangedJobsRequest>,
    ) -> Result<Response<ListChangedJobsResponse>, Status> {
        let (who, message) = allowed::<TrackPreflight, _>(request)?;
        let (cursor, mark, limit) = views::window(&message).map_err(status)?;
        let changed = self.jobs.changed(&who, cursor, mark, limit).await.map_err(status)?;
        Ok(Response::new(views::pulled(changed)))
    }
}
