//! What was found out: `/api/preflight/jobs/{jobId}/report` and `/facts`.

use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::{HttpResponse, web};
use mintmark_fault::Fault;
use mintmark_web::{Access, Answer, PathOf, Route};
use utoipa::OpenApi;

use super::jobs::may_read;
use super::who::Who;
use crate::app::jobs::Jobs;
use crate::app::names::JobKey;

/// The part of the OpenAPI document about reports and facts.
#[derive(OpenApi)]
#[openapi(paths(report, facts))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/preflight/jobs/{jobId}/report", Access::Preflight, report),
        Route::get("/api/preflight/jobs/{jobId}/facts", Access::Preflight, facts),
    ]
}

/// JSON of which a job has one and the same for ever.
fn for_ever(json: Vec<u8>, tag: &str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((CACHE_CONTROL, "private, no-store"))
        .insert_header((ETAG, format!("\"{tag}\"")))
        .body(json)
}

/// The report of a job that succeeded, by the schema at `/api/preflight/schemas/report`. Scope `preflight:read`.
#[utoipa::path(
    get, path = "/api/preflight/jobs/{jobId}/report", tag = "jobs", params(("jobId" = String, Path)),
    responses(
        (status = 200, content_type = "application/json", description = "The report; it never changes"),
        (status = 404), (status = 409, description = "`REPORT_NOT_READY`")))]
async fn report(jobs: web::Data<Jobs>, Who(who): Who, key: PathOf<String>) -> Answer {
    may_read(&who).await?;
    let (job, report) = jobs.report(&who, &JobKey::of_path(&key)?).await?;
    Ok(for_ever(report.into_bytes(), &format!("report-{}", job.id.simple())))
}

/// The facts that a job's file was judged by, as JSON by the schema at `/api/preflight/schemas/facts`. Scope `preflight:read`.
#[utoipa::path(
    get, path = "/api/preflight/jobs/{jobId}/facts", tag = "jobs", params(("jobId" = String, Path)),
    responses(
        (status = 200, content_type = "application/json", description = "The facts; they never change"),
        (status = 404), (status = 409, description = "`FACTS_NOT_READY`")))]
async fn facts(jobs: web::Data<Jobs>, Who(who): Who, key: PathOf<String>) -> Answer {
    may_read(&who).await?;
    let key = JobKey::of_path(&key)?;
    let facts = jobs.facts(&who, &key).await?;
    // Megabytes are inflated where nobody waits for the thread.
    let json = web::block(move || facts.json()).await.map_err(|gone| Fault::internal(gone.to_string()))??;
    Ok(for_ever(json, &format!("facts-{key}")))
}
