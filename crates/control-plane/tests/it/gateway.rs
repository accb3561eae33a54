//! A preflight gateway in memory: it judges tokens as the true one does, hands out jobs that changed, and fails when told to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use mintmark_auth::{ServiceCaller, ServiceVerifier, TrustStore, audience};
use mintmark_fault::{Fault, Kind};
use mintmark_rpc::status;
use mintmark_wire::preflight::v1::preflight_service_server::{PreflightService, PreflightServiceServer};
use mintmark_wire::preflight::v1::*;
use prost_types::Timestamp;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::harness::{Plane, trust_bundle};

/// A running fake; it stops when dropped.
pub struct FakeGateway {
    addr: SocketAddr,
    shared: Arc<Mutex<State>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for FakeGateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What it has and what it saw.
#[derive(Default)]
pub struct State {
    /// By tenant, in the order of their revisions.
    pub jobs: HashMap<String, Vec<Job>>,
    /// The most jobs of an answer.
    pub page: usize,
    /// What it says with a cursor; a call with another mark is told to start again.
    pub mark: String,
    /// Tenants whose calls fail: as if the gateway were away, or by a mistake of its own.
    pub broken: HashMap<String, Kind>,
    /// Tokens as they came, with their callers.
    pub seen: Vec<(String, ServiceCaller)>,
    /// The names of all metadata that came.
    pub metadata: Vec<String>,
    trust: Option<TrustStore>,
}

impl FakeGateway {
    pub async fn start() -> Self {
        let shared = Arc::new(Mutex::new(State { page: 1_000, mark: "one".to_owned(), ..State::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let service = PreflightServiceServer::new(Service(shared.clone()));
        let server = tokio::spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
        FakeGateway { addr, shared, server }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Believes what the plane's own keys sign.
    pub fn trusts(&self, plane: &Plane) {
        self.state().trust = Some(TrustStore::fixed(trust_bundle(plane.folder.path())));
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap()
    }

    /// A new or changed job of a tenant.
    pub fn put(&self, tenant: &str, job: &str, state: JobState, verdict: Verdict) {
        let mut all = self.state();
        let jobs = all.jobs.entry(tenant.to_owned()).or_default();
        let revision = jobs.iter().map(|job| job.revision).max().unwrap_or_default() + 1;
        jobs.retain(|other| other.job_id != job);
        let at = |seconds: i64| Some(Timestamp { seconds: 1_763_800_000 + seconds, nanos: 5_000_000 });
        jobs.push(Job {
            job_id: job.to_owned(),
            target_file: "s3://ppos-storage/incoming/validate.pdf".to_owned(),
            policy: "digital-print".to_owned(),
            policy_version: "1".to_owned(),
            state: state.into(),
            verdict: verdict.into(),
            failure: (state == JobState::Failed).then(|| Failure {
                code: "FILE_UNREADABLE".to_owned(),
                message: "the file is no PDF: send another one".to_owned(),
            }),
            target_bytes: 4_242,
            content_sha256: (state == JobState::Succeeded).then(|| "ab".repeat(32)),
            created_at: at(0),
            updated_at: at(revision.try_into().unwrap()),
            revision,
            ..Job::default()
        });
    }
}

struct Service(Arc<Mutex<State>>);

impl Service {
    fn changed(&self, request: &Request<ListChangedJobsRequest>) -> Result<ListChangedJobsResponse, Fault> {
        let mut state = self.0.lock().unwrap();
        state.metadata.extend(request.metadata().keys().map(|key| format!("{key:?}")));
        let bearer = request.metadata().get("authorization").ok_or_else(Fault::unauthenticated)?;
        let token = bearer.to_str().unwrap().strip_prefix("Bearer ").ok_or_else(Fault::unauthenticated)?;
        let trust = state.trust.clone().ok_or_else(Fault::unauthenticated)?;
        let caller = ServiceVerifier::new(trust, audience::PREFLIGHT).verify(token)?;
        state.seen.push((token.to_owned(), caller.clone()));
        if !caller.has_scope("jobs:read") && !caller.has_scope("preflight:read") {
            return Err(Fault::forbidden("FORBIDDEN", "no scope"));
        }
        match state.broken.get(caller.tenant().as_str()) {
            Some(Kind::Unavailable) => {
                return Err(Fault::unavailable("DATABASE_UNAVAILABLE", "the gateway's database is away"));
            }
            Some(_) => return Err(Fault::internal("it broke")),
            None => {}
        }
        let message = request.get_ref();
        if message.cursor > 0 && message.mark != state.mark {
            return Err(Fault::new(Kind::Unprocessable, "JOBS_RESTARTED", "start again"));
        }
        let none = Vec::new();
        let jobs = state.jobs.get(caller.tenant().as_str()).unwrap_or(&none);
        let newer: Vec<&Job> = jobs.iter().filter(|job| job.revision > message.cursor).collect();
        let page: Vec<Job> = newer.iter().take(state.page).map(|job| (*job).clone()).collect();
        Ok(ListChangedJobsResponse {
            next_cursor: page.last().map_or(message.cursor, |job| job.revision),
            more: newer.len() > page.len(),
            mark: state.mark.clone(),
            jobs: page,
        })
    }
}

/// The attribute must see the methods, so the macro writes the whole implementation.
macro_rules! service {
    ($($name:ident $request:ident $response:ident;)+) => {
        #[tonic::async_trait]
        impl PreflightService for Service {
            async fn list_changed_jobs(
                &self,
                request: Request<ListChangedJobsRequest>,
            ) -> Result<Response<ListChangedJobsResponse>, Status> {
                self.changed(&request).map(Response::new).map_err(status)
            }
            $(async fn $name(&self, _: Request<$request>) -> Result<Response<$response>, Status> {
                Err(Status::unimplemented("not of this fake"))
            })+
        }
    };
}

service! {
    create_job CreateJobRequest CreateJobResponse;
    get_job GetJobRequest GetJobResponse;
    list_jobs ListJobsRequest ListJobsResponse;
    get_report GetReportRequest GetReportResponse;
    update_job UpdateJobRequest UpdateJobResponse;
    cancel_job CancelJobRequest CancelJobResponse;
    list_policies ListPoliciesRequest ListPoliciesResponse;
    get_policy GetPolicyRequest GetPolicyResponse;
    put_policy PutPolicyRequest PutPolicyResponse;
    delete_policy DeletePolicyRequest DeletePolicyResponse;
    get_metrics GetMetricsRequest GetMetricsResponse;
    report_telemetry ReportTelemetryRequest ReportTelemetryResponse;
}
