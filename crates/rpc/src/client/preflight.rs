use std::future::Future;
use std::time::Duration;

use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::ServiceName;
use mintmark_service::StartError;
use mintmark_wire::preflight::v1::preflight_service_client::PreflightServiceClient;
use mintmark_wire::preflight::v1::{
    CancelJobRequest, CancelJobResponse, CreateJobRequest, CreateJobResponse, DeletePolicyRequest,
    DeletePolicyResponse, GetJobRequest, GetJobResponse, GetMetricsRequest, GetMetricsResponse,
    GetPolicyRequest, GetPolicyResponse, GetReportRequest, GetReportResponse, ListChangedJobsRequest,
    ListChangedJobsResponse, ListJobsRequest, ListJobsResponse, ListPoliciesRequest, ListPoliciesResponse,
    PutPolicyRequest, PutPolicyResponse, ReportTelemetryRequest, ReportTelemetryResponse, UpdateJobRequest,
    UpdateJobResponse,
};
use tokio::runtime::Handle;
use tonic::{Request, Response, Status};
use tracing::{Instrument, Span};

use super::again::twice_if_unanswered;
use crate::callee::Callee;
use crate::outgoing::connect;
use crate::status::is_ours;
use crate::{OutgoingToken, Target, authorized, fault_of};

/// For a call, its retry apart.
const UNARY: Duration = Duration::from_secs(10);
/// Pages of jobs with long intents, and reports.
const LARGEST_ANSWER: usize = 16 << 20;

type Client = PreflightServiceClient<Callee>;

/// The preflight gateway, as other services call it. Cheap to clone; connects at the first call.
///
/// Each call carries the PREFLIGHT_JWT that the caller had minted for it. Every method is idempotent: it is tried a second
/// time when nobody answered. Faults keep the gateway's code; one that cannot be reached in time is 503
/// `PREFLIGHT_UNAVAILABLE`, and one that does not believe our token is our own misconfiguration (500). A scope that the
/// token lacks stays 403: the token may have been narrowed to what somebody else has.
#[derive(Clone)]
pub struct Preflight {
    client: Client,
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $method:literal $request:ident $response:ident;)+) => {$(
        $(#[$doc])*
        pub async fn $name(&self, token: &impl OutgoingToken, message: $request) -> Result<$response> {
            self.unary($method, token, message, |mut client, request| async move { client.$name(request).await }).await
        }
    )+};
}

impl Preflight {
    /// A client of the gateway at `target` (a URL alone, or a [`Target`]), driven on the runtime it is made on.
    ///
    /// # Errors
    /// A sentence when its URL cannot be one.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new<'a>(target: impl Into<Target<'a>>) -> std::result::Result<Self, StartError> {
        let callee = connect(target.into(), ServiceName::PreflightGateway, &Handle::current())?;
        Ok(Self { client: Client::new(callee).max_decoding_message_size(LARGEST_ANSWER) })
    }

    methods! {
        /// Creates a job, or finds the one that the same request created.
        create_job "CreateJob" CreateJobRequest CreateJobResponse;
        /// A job.
        get_job "GetJob" GetJobRequest GetJobResponse;
        /// A page of jobs.
        list_jobs "ListJobs" ListJobsRequest ListJobsResponse;
        /// The report of a job.
        get_report "GetReport" GetReportRequest GetReportResponse;
        /// Changes a job that was not started, or starts it.
        update_job "UpdateJob" UpdateJobRequest UpdateJobResponse;
        /// Cancels a job.
        cancel_job "CancelJob" CancelJobRequest CancelJobResponse;
        /// The policies that jobs may name.
        list_policies "ListPolicies" ListPoliciesRequest ListPoliciesResponse;
        /// A policy.
        get_policy "GetPolicy" GetPolicyRequest GetPolicyResponse;
        /// Stores a version of a policy.
        put_policy "PutPolicy" PutPolicyRequest PutPolicyResponse;
        /// Withdraws a policy.
        delete_policy "DeletePolicy" DeletePolicyRequest DeletePolicyResponse;
        /// How many jobs there are.
        get_metrics "GetMetrics" GetMetricsRequest GetMetricsResponse;
        /// Stores what a repair changed.
        report_telemetry "ReportTelemetry" ReportTelemetryRequest ReportTelemetryResponse;
        /// Jobs that changed since a cursor.
        list_changed_jobs "ListChangedJobs" ListChangedJobsRequest ListChangedJobsResponse;
    }

    /// The fault behind a status of the gateway, as its caller should see it.
    fn fault(status: &Status) -> Fault {
        let fault = fault_of(status);
        match fault.kind() {
            Kind::Unauthenticated => Fault::internal(fault),
            Kind::Timeout => unavailable().caused_by(fault),
            Kind::Unavailable if !is_ours(status) => unavailable().caused_by(fault),
            _ => fault,
        }
    }

    async fn unary<Q, A, F>(
        &self,
        method: &'static str,
        token: &impl OutgoingToken,
        message: Q,
        call: impl Fn(Client, Request<Q>) -> F,
    ) -> Result<A>
    where
        Q: Clone,
        F: Future<Output = std::result::Result<Response<A>, Status>>,
    {
        let span = span(method);
        let attempts =
            twice_if_unanswered(|| call(self.client.clone(), authorized(message.clone(), token, UNARY)));
        match attempts.instrument(span.clone()).await {
            Ok(response) => Ok(response.into_inner()),
            Err(status) => {
                span.record("rpc.grpc.status_code", i32::from(status.code()));
                Err(Self::fault(&status))
            }
        }
    }
}

fn unavailable() -> Fault {
    let sentence = "the preflight service cannot be reached now; the same request may work later";
    Fault::unavailable("PREFLIGHT_UNAVAILABLE", sentence).retry_after(Duration::from_secs(2))
}

fn span(method: &'static str) -> Span {
    tracing::info_span!(
        "rpc.client",
        otel.name = format!("mintmark.preflight.v1.PreflightService/{method}"),
        otel.kind = "client",
        rpc.system = "grpc",
        rpc.service = "mintmark.preflight.v1.PreflightService",
        rpc.method = method,
        rpc.grpc.status_code = tracing::field::Empty,
    )
}
