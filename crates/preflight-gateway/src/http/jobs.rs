//! `/api/preflight/jobs`.

use std::collections::BTreeMap;

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use mintmark_auth::Principal;
use mintmark_auth::action::{ViewPreflight, WritePreflight};
use mintmark_fault::Result;
use mintmark_web::{Access, Answer, Body, Later, List, Page, PathOf, QueryOf, Route, ok};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::views::JobView;
use super::who::Who;
use crate::app::create::Order;
use crate::app::intent::Intent;
use crate::app::job::{Job, State, Verdict};
use crate::app::jobs::{Edit, Jobs, Wanted};
use crate::app::metrics::{self, Metrics};
use crate::app::names::{JobKey, PolicyRef, name};
use crate::app::permit;

/// The part of the OpenAPI document about jobs.
#[derive(OpenApi)]
#[openapi(paths(create, list, count, find, update, cancel))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/preflight/jobs", Access::Preflight, create),
        Route::get("/api/preflight/jobs", Access::Preflight, list),
        Route::get("/api/preflight/jobs/metrics", Access::Preflight, count),
        Route::get("/api/preflight/jobs/{jobId}", Access::Preflight, find),
        Route::patch("/api/preflight/jobs/{jobId}", Access::Preflight, update),
        Route::post("/api/preflight/jobs/{jobId}/cancel", Access::Preflight, cancel),
    ]
}

/// A job to create. `jobId` and `targetFile` are enough.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewJobBody {
    /// Names the job within the tenant, and makes its creation idempotent: 1 to 128 of A-Z, a-z, 0-9, '.', '_', ':' and '-',
    /// beginning with a letter or digit; not `policies` and not `metrics`.
    #[schema(example = "job_manual_verify_101")]
    job_id: String,
    /// What to preflight: in a bucket and under a prefix that the tenant was given.
    #[schema(example = "s3://ppos-storage/incoming/validate.pdf")]
    target_file: String,
    /// A policy by name, for its newest version, or `name@version`; absent: `digital-print`.
    #[serde(default)]
    policy: Option<String>,
    /// What the product shall be; absent: nothing is expected.
    #[serde(default)]
    intent: Option<Intent>,
    /// The batch whose codes are printed.
    #[serde(default)]
    batch_id: Option<String>,
    /// Whether the engine runs at once, which needs `preflight:analyze`; absent: it does. Otherwise the job is a record, to be
    /// started by `PATCH`.
    #[serde(default = "yes")]
    #[schema(default = true)]
    run: bool,
}

fn yes() -> bool {
    true
}

impl NewJobBody {
    /// The order, when each of its values is good.
    pub(super) fn order(&self) -> Result<Order> {
        Ok(Order {
            key: self.job_id.parse()?,
            target: self.target_file.parse()?,
            policy: self.policy.as_deref().map_or_else(|| Ok(PolicyRef::default()), str::parse)?,
            intent: self.intent.clone().map(Intent::checked).transpose()?,
            batch: self.batch_id.as_deref().map(batch).transpose()?,
            run: self.run,
        })
    }
}

fn batch(text: &str) -> Result<String> {
    name("BATCH_ID_INVALID", "batchId", text)
}

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EditBody {
    /// Another policy, as at creation; of a job that was not started.
    #[serde(default)]
    policy: Option<String>,
    /// Another product; of a job that was not started.
    #[serde(default)]
    intent: Option<Intent>,
    /// Another batch, or null for none; at any time.
    #[serde(default, deserialize_with = "stated")]
    #[schema(value_type = Option<String>)]
    batch_id: Option<Option<String>>,
    /// True: start it, which needs `preflight:analyze`.
    #[serde(default)]
    run: bool,
}

/// Null is something else than absent.
fn stated<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(from).map(Some)
}

impl EditBody {
    fn edit(&self) -> Result<Edit> {
        Ok(Edit {
            policy: self.policy.as_deref().map(str::parse).transpose()?,
            intent: self.intent.clone().map(Intent::checked).transpose()?,
            batch: self.batch_id.as_ref().map(|to| to.as_deref().map(batch).transpose()).transpose()?,
            run: self.run,
        })
    }
}

/// Which jobs.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Only jobs in this state.
    #[serde(default)]
    state: Option<State>,
    /// Only jobs with this verdict.
    #[serde(default)]
    verdict: Option<Verdict>,
    /// Only jobs of this batch.
    #[serde(default)]
    batch_id: Option<String>,
}

/// Since when is counted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Since {
    /// Only jobs created at or after this; absent: the last 30 days.
    #[serde(default)]
    since: Option<DateTime<Utc>>,
}

/// How many jobs there are.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsView {
    since: DateTime<Utc>,
    /// All of them.
    jobs: u64,
    /// By state; those that no job is in are absent.
    states: BTreeMap<&'static str, u64>,
    /// By verdict; those that no job has are absent.
    verdicts: BTreeMap<&'static str, u64>,
    /// Half of the jobs that ended took at most this from their start to their end.
    #[serde(skip_serializing_if = "Option::is_none")]
    median_run_ms: Option<u64>,
    /// 95 of 100 took at most this.
    #[serde(skip_serializing_if = "Option::is_none")]
    p95_run_ms: Option<u64>,
}

impl From<Metrics> for MetricsView {
    fn from(metrics: Metrics) -> Self {
        let mut view = MetricsView {
            since: metrics.since,
            jobs: 0,
            states: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            median_run_ms: metrics.run_ms.map(|(median, _)| median),
            p95_run_ms: metrics.run_ms.map(|(_, p95)| p95),
        };
        for count in metrics.counts {
            view.jobs += count.jobs;
            *view.states.entry(count.state.as_str()).or_default() += count.jobs;
            if let Some(verdict) = count.verdict {
                *view.verdicts.entry(verdict.as_str()).or_default() += count.jobs;
            }
        }
        view
    }
}

/// 201 with its address for a job that this request created, 200 for one that the same request created before.
pub(super) fn answer((job, created): (Job, bool), base: &str) -> HttpResponse {
    let location = format!("{base}/{}", job.job_id);
    let view = JobView::from(job);
    if created {
        return HttpResponse::Created().insert_header((LOCATION, location)).json(view);
    }
    ok(&view)
}

/// The permit of whoever may write at all: what is wrong with the input is for them alone.
pub(super) async fn may_write(who: &Principal) -> Result<()> {
    permit::<WritePreflight>(who).map(drop)
}

/// Creates a job, and has the engine run. Scope `preflight:write`; with `run` (the default) `preflight:analyze` too.
///
/// The same request again answers the job as it stands now, with 200.
#[utoipa::path(
    post, path = "/api/preflight/jobs", tag = "jobs", request_body = NewJobBody,
    responses(
        (status = 201, body = JobView), (status = 200, body = JobView, description = "The same request created it before"),
        (status = 422, description = "`JOB_ID_REUSED`, `POLICY_UNKNOWN`, `TARGET_NOT_ALLOWED`, `TARGET_MISSING`, `TARGET_TOO_LARGE`")))]
async fn create(jobs: web::Data<Jobs>, Who(who): Who, body: Later<Body<NewJobBody>>) -> Answer {
    let order = body.check(|body| body.order()).after(may_write(&who)).await?;
    Ok(answer(jobs.create(&who, &order).await?, "/api/preflight/jobs"))
}

/// Lists jobs, newest first. Scope `preflight:read`.
#[utoipa::path(
    get, path = "/api/preflight/jobs", tag = "jobs",
    params(Filter, ("limit" = Option<u32>, Query, description = "1 to 200, 50 when absent"), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<JobView>)))]
async fn list(
    jobs: web::Data<Jobs>,
    Who(who): Who,
    filter: Later<QueryOf<Filter>>,
    page: Later<Page>,
) -> Answer {
    let wanted = |filter: QueryOf<Filter>| {
        let filter = filter.into_inner();
        let batch = filter.batch_id.as_deref().map(batch).transpose()?;
        Ok(Wanted { state: filter.state, verdict: filter.verdict, batch })
    };
    let wanted = filter.check(wanted).after(may_read(&who)).await?;
    let page = page.after(may_read(&who)).await?;
    let found = jobs.list(&who, &wanted, page.cursor, page.fetch()).await?;
    Ok(ok(&List::of(&page, found, |job| job.id, JobView::from)))
}

/// The same for reading.
pub(super) async fn may_read(who: &Principal) -> Result<()> {
    permit::<ViewPreflight>(who).map(drop)
}

/// Counts the tenant's jobs, and says how long they take. Scope `preflight:read`.
#[utoipa::path(
    get, path = "/api/preflight/jobs/metrics", tag = "jobs", params(Since),
    responses((status = 200, body = MetricsView)))]
async fn count(jobs: web::Data<Jobs>, Who(who): Who, since: Later<QueryOf<Since>>) -> Answer {
    let since = since.check(|at| at.since.map(metrics::since).transpose()).after(may_read(&who)).await?;
    Ok(ok(&MetricsView::from(jobs.metrics(&who, since).await?)))
}

/// Reads a job. Scope `preflight:read`.
#[utoipa::path(
    get, path = "/api/preflight/jobs/{jobId}", tag = "jobs", params(("jobId" = String, Path)),
    responses((status = 200, body = JobView), (status = 404)))]
async fn find(jobs: web::Data<Jobs>, Who(who): Who, key: PathOf<String>) -> Answer {
    may_read(&who).await?;
    Ok(ok(&JobView::from(jobs.view(&who, &JobKey::of_path(&key)?).await?)))
}

/// Changes a job that was not started, and starts it. Scope `preflight:write`; with `run` `preflight:analyze` too.
#[utoipa::path(
    patch, path = "/api/preflight/jobs/{jobId}", tag = "jobs", params(("jobId" = String, Path)), request_body = EditBody,
    responses((status = 200, body = JobView), (status = 404), (status = 409, description = "`JOB_STARTED`")))]
async fn update(
    jobs: web::Data<Jobs>,
    Who(who): Who,
    key: PathOf<String>,
    body: Later<Body<EditBody>>,
) -> Answer {
    let edit = body.check(|body| body.edit()).after(may_write(&who)).await?;
    may_write(&who).await?;
    Ok(ok(&JobView::from(jobs.update(&who, &JobKey::of_path(&key)?, &edit).await?)))
}

/// Cancels a job that has not ended. Scope `preflight:write`.
#[utoipa::path(
    post, path = "/api/preflight/jobs/{jobId}/cancel", tag = "jobs", params(("jobId" = String, Path)),
    responses(
        (status = 200, body = JobView, description = "One that a worker has is cancelled within seconds"),
        (status = 404), (status = 409, description = "`JOB_ENDED`")))]
async fn cancel(jobs: web::Data<Jobs>, Who(who): Who, key: PathOf<String>) -> Answer {
    may_write(&who).await?;
    Ok(ok(&JobView::from(jobs.cancel(&who, &JobKey::of_path(&key)?).await?)))
}
