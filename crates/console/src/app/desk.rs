//! Verified callers, and what they may look at.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use mintmark_auth::{ServiceCaller, ServiceVerifier, TokenError, scope};
use mintmark_fault::{Fault, Result};
use mintmark_ids::TenantId;
use mintmark_rpc::client::{ControlPlane, ExchangedToken, Preflight};
use mintmark_wire::preflight::v1::{
    GetJobRequest, GetReportRequest, GetReportResponse, Job, ListJobsRequest, ListJobsResponse,
    ListPoliciesRequest, Policy,
};
use moka::sync::Cache;

/// What the console needs of the gateway: to look.
const SCOPES: [&str; 2] = [scope::PREFLIGHT_READ, scope::JOBS_READ];
/// Callers whose exchanged tokens are kept at once, about 2 kB each.
const CALLERS: u64 = 10_000;
/// No PREFLIGHT_JWT lives longer.
const LONGEST: Duration = Duration::from_secs(300);
/// A call takes less; a token that ends sooner is exchanged anew as long as the caller's own still lives.
const MARGIN: TimeDelta = TimeDelta::seconds(15);

/// Makes visitors out of tokens. Cheap to clone.
#[derive(Clone)]
pub struct Desk(Arc<Inner>);

struct Inner {
    verifier: ServiceVerifier,
    control_plane: ControlPlane,
    gateway: Preflight,
    /// By the id of the caller's own token, which its issuer gives out once.
    exchanged: Cache<String, Arc<ExchangedToken>>,
}

/// Somebody whose PREFLIGHT_JWT was verified and exchanged: the only way to the gateway.
pub struct Visitor {
    caller: ServiceCaller,
    token: Arc<ExchangedToken>,
    gateway: Preflight,
}

impl Desk {
    /// A desk that believes `verifier`, exchanges at `control_plane` and looks things up at `gateway`.
    pub fn new(verifier: ServiceVerifier, control_plane: ControlPlane, gateway: Preflight) -> Self {
        let exchanged = Cache::builder().max_capacity(CALLERS).time_to_live(LONGEST).build();
        Self(Arc::new(Inner { verifier, control_plane, gateway, exchanged }))
    }

    /// Who presents this token.
    ///
    /// # Errors
    /// 401 `AUTHENTICATION_REQUIRED` for anything but a PREFLIGHT_JWT that is in force; 403 when it lets one look at nothing;
    /// 503 when the control plane cannot be reached.
    pub async fn admit(&self, presented: &str) -> Result<Visitor> {
        let caller = self.verify(presented)?;
        let token = self.exchange(&caller, presented).await?;
        Ok(self.visitor(caller, token))
    }

    /// The visitor whom the gate has admitted already: handlers see who called, and not with what.
    ///
    /// # Errors
    /// 500 when nobody was admitted.
    pub fn admitted(&self, caller: ServiceCaller) -> Result<Visitor> {
        let token = self.0.exchanged.get(caller.jti());
        let token =
            token.ok_or_else(|| Fault::internal("a caller came past the gate without an exchange"))?;
        Ok(self.visitor(caller, token))
    }

    fn visitor(&self, caller: ServiceCaller, token: Arc<ExchangedToken>) -> Visitor {
        Visitor { caller, token, gateway: self.0.gateway.clone() }
    }

    /// The token is judged here before anybody else hears of it.
    fn verify(&self, presented: &str) -> Result<ServiceCaller> {
        self.0.verifier.verify(presented).map_err(TokenError::where_preflight_is_wanted)
    }

    async fn exchange(&self, caller: &ServiceCaller, presented: &str) -> Result<Arc<ExchangedToken>> {
        let kept = self.0.exchanged.get(caller.jti());
        if let Some(kept) = kept.filter(|kept| kept.expires_at() - Utc::now() > MARGIN) {
            return Ok(kept);
        }
        let made = self.0.control_plane.exchange_preflight(caller.tenant(), presented, &SCOPES).await?;
        let made = Arc::new(made);
        self.0.exchanged.insert(caller.jti().to_owned(), made.clone());
        Ok(made)
    }
}

impl Visitor {
    /// Who it is, as the presented token says.
    pub fn caller(&self) -> &ServiceCaller {
        &self.caller
    }

    /// Whose things the visitor may see.
    pub fn tenant(&self) -> &TenantId {
        self.caller.tenant()
    }

    /// When the presented token ends.
    pub fn until(&self) -> DateTime<Utc> {
        self.caller.expires_at()
    }

    /// The policies that jobs may name.
    ///
    /// # Errors
    /// Those of the gateway.
    pub async fn policies(&self) -> Result<Vec<Policy>> {
        Ok(self.gateway.list_policies(&*self.token, ListPoliciesRequest {}).await?.policies)
    }

    /// A page of jobs.
    ///
    /// # Errors
    /// Those of the gateway.
    pub async fn jobs(&self, request: ListJobsRequest) -> Result<ListJobsResponse> {
        self.gateway.list_jobs(&*self.token, request).await
    }

    /// A job.
    ///
    /// # Errors
    /// Those of the gateway.
    pub async fn job(&self, job_id: &str) -> Result<Job> {
        let answer = self.gateway.get_job(&*self.token, GetJobRequest { job_id: job_id.to_owned() }).await?;
        answer.job.ok_or_else(|| Fault::internal("the gateway answered without the job"))
    }

    /// A job with its report.
    ///
    /// # Errors
    /// Those of the gateway.
    pub async fn report(&self, job_id: &str) -> Result<GetReportResponse> {
        self.gateway.get_report(&*self.token, GetReportRequest { job_id: job_id.to_owned() }).await
    }
}
