//! `/api/v2/jobs`: the same jobs, for clients of the second version.

use actix_web::web;
use chrono::{DateTime, Utc};
use mintmark_auth::Principal;
use mintmark_auth::action::{ReportRepair, SubmitPreflight, TrackPreflight};
use mintmark_fault::Result;
use mintmark_web::{Access, Answer, Body, Later, PathOf, Route, created, ok};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::jobs::{NewJobBody, answer};
use super::views::JobView;
use super::who::Who;
use crate::app::jobs::Jobs;
use crate::app::names::JobKey;
use crate::app::permit;
use crate::app::telemetry::{Event, Repair, Reported};

/// The part of the OpenAPI document about the second version.
#[derive(OpenApi)]
#[openapi(paths(create, find, report, list))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v2/jobs", Access::Preflight, create),
        Route::get("/api/v2/jobs/{jobId}", Access::Preflight, find),
        Route::post("/api/v2/jobs/{jobId}/telemetry", Access::Preflight, report),
        Route::get("/api/v2/jobs/{jobId}/telemetry", Access::Preflight, list),
    ]
}

/// What a repair changed in the job's document.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TelemetryBody {
    /// Names the event within the job, and makes storing it idempotent; written as a `jobId`.
    #[schema(example = "repair-1")]
    event_id: String,
    /// What repaired the document, 1 to 100 characters.
    tool: String,
    /// Its version, at most 100 characters.
    #[serde(default)]
    tool_version: Option<String>,
    /// What was repaired, 1 to 200.
    repairs: Vec<Repair>,
    /// SHA-256 of the repaired file, 64 hexadecimal digits.
    #[serde(default)]
    repaired_sha256: Option<String>,
    /// How long the repair took.
    #[serde(default)]
    duration_ms: Option<u64>,
}

/// An event that is stored.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TelemetryView {
    event_id: String,
    #[serde(flatten)]
    event: Event,
    created_at: DateTime<Utc>,
}

/// All events of a job.
#[derive(Serialize, ToSchema)]
pub struct TelemetryList {
    items: Vec<TelemetryView>,
}

/// Whether an event was stored by this request.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoredView {
    event_id: String,
    created: bool,
}

impl TelemetryBody {
    fn event(self) -> Result<(String, Event)> {
        let event = Event {
            tool: self.tool,
            tool_version: self.tool_version,
            repairs: self.repairs,
            repaired_sha256: self.repaired_sha256,
            duration_ms: self.duration_ms,
        };
        Ok((self.event_id, event.checked()?))
    }
}

async fn may_submit(who: &Principal) -> Result<()> {
    permit::<SubmitPreflight>(who).map(drop)
}

async fn may_report(who: &Principal) -> Result<()> {
    permit::<ReportRepair>(who).map(drop)
}

/// Creates a job, and has the engine run. Scope `jobs:write` or `preflight:write`; with `run` (the default)
/// `preflight:analyze` too.
#[utoipa::path(
    post, path = "/api/v2/jobs", tag = "v2", request_body = NewJobBody,
    responses(
        (status = 201, body = JobView), (status = 200, body = JobView, description = "The same request created it before"),
        (status = 422, description = "As for `/api/preflight/jobs`")))]
async fn create(jobs: web::Data<Jobs>, Who(who): Who, body: Later<Body<NewJobBody>>) -> Answer {
    let order = body.check(|body| body.order()).after(may_submit(&who)).await?;
    Ok(answer(jobs.submit(&who, &order).await?, "/api/v2/jobs"))
}

/// Reads a job. Scope `jobs:read` or `preflight:read`.
#[utoipa::path(
    get, path = "/api/v2/jobs/{jobId}", tag = "v2", params(("jobId" = String, Path)),
    responses((status = 200, body = JobView), (status = 404)))]
async fn find(jobs: web::Data<Jobs>, Who(who): Who, key: PathOf<String>) -> Answer {
    permit::<TrackPreflight>(&who)?;
    Ok(ok(&JobView::from(jobs.track(&who, &JobKey::of_path(&key)?).await?)))
}

/// Stores what a repair changed in the job's document. Scope `jobs:write`.
#[utoipa::path(
    post, path = "/api/v2/jobs/{jobId}/telemetry", tag = "v2", params(("jobId" = String, Path)), request_body = TelemetryBody,
    responses(
        (status = 201, body = StoredView), (status = 200, body = StoredView, description = "It was stored before"),
        (status = 404), (status = 409, description = "`TELEMETRY_FULL`"), (status = 422, description = "`EVENT_ID_REUSED`")))]
async fn report(
    jobs: web::Data<Jobs>,
    Who(who): Who,
    key: PathOf<String>,
    body: Later<Body<TelemetryBody>>,
) -> Answer {
    let (event_id, event) = body.check(|body| body.into_inner().event()).after(may_report(&who)).await?;
    may_report(&who).await?;
    let is_new = jobs.report_repair(&who, &JobKey::of_path(&key)?, &event_id, &event).await?;
    let view = StoredView { event_id, created: is_new };
    Ok(if is_new { created(&view) } else { ok(&view) })
}

/// The telemetry of a job, oldest first. Scope `jobs:read` or `preflight:read`.
#[utoipa::path(
    get, path = "/api/v2/jobs/{jobId}/telemetry", tag = "v2", params(("jobId" = String, Path)),
    responses((status = 200, body = TelemetryList), (status = 404)))]
async fn list(jobs: web::Data<Jobs>, Who(who): Who, key: PathOf<String>) -> Answer {
    permit::<TrackPreflight>(&who)?;
    let view = |reported: Reported| TelemetryView {
        event_id: reported.event_id,
        event: reported.event,
        created_at: reported.created_at,
    };
    let events = jobs.repairs(&who, &JobKey::of_path(&key)?).await?;
    Ok(ok(&TelemetryList { items: events.into_iter().map(view).collect() }))
}
