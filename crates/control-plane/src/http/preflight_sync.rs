//! `/api/admin/sync/jobs`: the registry of preflight jobs.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use mintmark_fault::{Fault, Result};
use mintmark_ids::TenantId;
use mintmark_service::config::Secret;
use mintmark_web::{Access, Answer, Caller, List, OptionalBody, Page, QueryOf, Route, UpstreamToken};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::paging::{self, PageParams};
use crate::app::preflight_sync::{FailedTenant, PreflightSync, Scope, Synced, SyncedTenant};
use crate::store::preflight_jobs::{Query, RegisteredJob};

/// A sync may work for 40 seconds; then it says that there is more.
const SYNC_DEADLINE: Duration = Duration::from_secs(60);

/// The part of the OpenAPI document about the registry of preflight jobs.
#[derive(OpenApi)]
#[openapi(paths(sync, list))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/admin/sync/jobs", Access::ControlToken, sync).deadline(SYNC_DEADLINE),
        Route::get("/api/admin/sync/jobs", Access::ControlToken, list),
    ]
}

/// Whose jobs to take over; no body at all: those of the tenant of `X-Upstream-Token`, or of `ppos-production-worker`.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SyncBody {
    /// One tenant.
    #[schema(value_type = Option<String>, example = "ppos-production-worker")]
    tenant_id: Option<TenantId>,
    /// Every tenant, with a token minted for each; with `X-Upstream-Token` the tenant of that token alone.
    #[serde(default)]
    all_tenants: bool,
}

impl SyncBody {
    fn scope(self) -> Result<Scope> {
        match (self.tenant_id, self.all_tenants) {
            (None, false) => Ok(Scope::Default),
            (Some(tenant), false) => Ok(Scope::Tenant(tenant)),
            (None, true) => Ok(Scope::All),
            (Some(_), true) => {
                let sentence = "tenantId and allTenants exclude one another: send one of them";
                Err(Fault::invalid("TENANTS_CONFLICT", "allTenants", sentence))
            }
        }
    }
}

/// What a sync did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncView {
    /// By tenant.
    tenants: Vec<SyncedTenantView>,
    /// Tenants whose jobs could not be taken over; the others' were.
    failures: Vec<FailedTenantView>,
    /// Tenants that were not tried, because the gateway went away or the time was over: sync again.
    skipped: u64,
}

/// What a sync did for one tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncedTenantView {
    #[schema(value_type = String)]
    tenant_id: TenantId,
    /// Jobs that the preflight service handed out: those that changed since the last sync.
    received: u64,
    /// Jobs that were not in the registry.
    created: u64,
    /// Jobs that were there in an older form.
    updated: u64,
    /// The revision up to which the registry has the tenant's jobs.
    cursor: u64,
    /// Whether there is more: sync again.
    more: bool,
}

/// Why one tenant's jobs could not be taken over.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedTenantView {
    #[schema(value_type = String)]
    tenant_id: TenantId,
    code: String,
    detail: String,
}

/// A preflight job as the registry has it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegisteredJobView {
    #[schema(value_type = String)]
    tenant_id: TenantId,
    #[schema(example = "job_manual_verify_101")]
    job_id: String,
    #[schema(example = "s3://ppos-storage/incoming/validate.pdf")]
    target_file: String,
    target_bytes: u64,
    policy: String,
    policy_version: String,
    batch_id: Option<String>,
    /// `recorded`, `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    state: String,
    /// `pass`, `pass_with_warnings`, `fail` or `incomplete`; null before it succeeded.
    verdict: Option<String>,
    failure: Option<FailureView>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    /// When the registry took this over.
    synced_at: DateTime<Utc>,
}

/// Why a job failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailureView {
    code: String,
    message: String,
}

/// Which jobs.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RegistryParams {
    /// Of one tenant; without it of all.
    #[param(value_type = Option<String>)]
    tenant_id: Option<TenantId>,
    /// In one state.
    state: Option<String>,
    /// With one verdict.
    verdict: Option<String>,
}

impl From<Synced> for SyncView {
    fn from(synced: Synced) -> Self {
        SyncView {
            tenants: synced.tenants.into_iter().map(SyncedTenantView::from).collect(),
            failures: synced.failures.into_iter().map(FailedTenantView::from).collect(),
            skipped: synced.skipped,
        }
    }
}

impl From<SyncedTenant> for SyncedTenantView {
    fn from(done: SyncedTenant) -> Self {
        let SyncedTenant { tenant, received, created, updated, cursor, more } = done;
        SyncedTenantView { tenant_id: tenant, received, created, updated, cursor, more }
    }
}

impl From<FailedTenant> for FailedTenantView {
    fn from(failed: FailedTenant) -> Self {
        FailedTenantView { tenant_id: failed.tenant, code: failed.code, detail: failed.detail }
    }
}

impl From<RegisteredJob> for RegisteredJobView {
    fn from(job: RegisteredJob) -> Self {
        let failure = job
            .failure_code
            .map(|code| FailureView { code, message: job.failure_message.unwrap_or_default() });
        RegisteredJobView {
            tenant_id: job.tenant,
            job_id: job.job,
            target_file: job.target_file,
            target_bytes: job.target_bytes,
            policy: job.policy,
            policy_version: job.policy_version,
            batch_id: job.batch,
            state: job.state,
            verdict: job.verdict,
            failure,
            created_at: job.created_at,
            updated_at: job.updated_at,
            finished_at: job.finished_at,
            synced_at: job.synced_at,
        }
    }
}

/// Takes the preflight jobs that changed over into the registry. The preflight service gets a token minted for this, for
/// one tenant; never yours. `X-Upstream-Token: Bearer …`, a PREFLIGHT_JWT, narrows the sync to its tenant and scopes.
#[utoipa::path(
    post, path = "/api/admin/sync/jobs", tag = "admin", request_body = Option<SyncBody>,
    params(("X-Upstream-Token" = Option<String>, Header, description = "`Bearer` and a PREFLIGHT_JWT")),
    responses(
        (status = 200, body = SyncView, description = "Done; failures of single tenants of a sweep stand beside it"),
        (status = 401, description = "The control token, or X-Upstream-Token (`field`), is not good"),
        (status = 403, description = "X-Upstream-Token is another tenant's, or lacks `jobs:read`"),
        (status = 503, description = "The preflight service is away: `PREFLIGHT_UNAVAILABLE`")))]
async fn sync(
    sync: web::Data<PreflightSync>,
    Caller(who): Caller,
    UpstreamToken(upstream): UpstreamToken,
    body: OptionalBody<SyncBody>,
) -> Answer {
    let scope = body.0.unwrap_or_default().scope()?;
    let synced = sync.sync(&who, scope, upstream.as_ref().map(Secret::expose)).await?;
    Ok(HttpResponse::Ok().json(SyncView::from(synced)))
}

/// Shows the registry of preflight jobs, those first that were taken over last.
#[utoipa::path(
    get, path = "/api/admin/sync/jobs", tag = "admin", params(RegistryParams, PageParams),
    responses((status = 200, body = List<RegisteredJobView>)))]
async fn list(
    sync: web::Data<PreflightSync>,
    Caller(who): Caller,
    query: QueryOf<RegistryParams>,
    page: Page,
) -> Answer {
    let RegistryParams { tenant_id, state, verdict } = query.into_inner();
    let query = Query { tenant: tenant_id, state, verdict };
    let slice = sync.list(&who, &query, paging::window(&page)).await?;
    Ok(HttpResponse::Ok().json(paging::list(slice, RegisteredJobView::from)))
}
