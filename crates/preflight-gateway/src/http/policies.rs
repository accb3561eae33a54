//! `/api/preflight/jobs/policies` of the contract, and `/api/preflight/policies` for the tenant's own.

use actix_web::HttpResponse;
use actix_web::http::header::{ETAG, LOCATION};
use actix_web::web;
use chrono::{DateTime, Utc};
use mintmark_fault::Fault;
use mintmark_web::{Access, Answer, Body, Later, PathOf, Route, no_content, ok};
use serde::Serialize;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::jobs::{may_read, may_write};
use super::who::Who;
use crate::app::names::PolicyRef;
use crate::app::policies::{Known, Policies};
use crate::app::ruleset::DOCUMENT_MAX;

/// The part of the OpenAPI document about policies.
#[derive(OpenApi)]
#[openapi(paths(of_jobs, list, find, put, withdraw))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/preflight/jobs/policies", Access::Preflight, of_jobs),
        Route::get("/api/preflight/policies", Access::Preflight, list),
        Route::get("/api/preflight/policies/{policy}", Access::Preflight, find),
        Route::put("/api/preflight/policies/{policy}", Access::Preflight, put).body_limit(DOCUMENT_MAX),
        Route::delete("/api/preflight/policies/{policy}", Access::Preflight, withdraw),
    ]
}

/// A version of a policy.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    /// What a job names it by.
    #[schema(example = "digital-print")]
    name: String,
    #[schema(example = "1")]
    version: String,
    /// A line for people.
    title: String,
    /// Whether it is one of ours; otherwise it is the tenant's own.
    built_in: bool,
    /// When the tenant stored it.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<DateTime<Utc>>,
    /// The policy itself, by the schema at `/api/preflight/schemas/policy`; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Value>,
}

/// The policies that jobs may name.
#[derive(Serialize, ToSchema)]
pub struct PolicyList {
    /// Ours, then the tenant's own; by name.
    items: Vec<PolicyView>,
}

impl PolicyView {
    fn brief(policy: Known) -> Self {
        PolicyView {
            name: policy.name,
            version: policy.version,
            title: policy.title,
            built_in: policy.built_in,
            created_at: policy.created_at,
            document: None,
        }
    }

    fn whole(policy: Known) -> Result<Self, Fault> {
        let document = serde_json::from_str(&policy.document).map_err(Fault::internal)?;
        Ok(PolicyView { document: Some(document), ..Self::brief(policy) })
    }
}

fn tag(policy: &Known) -> String {
    format!("\"{}-{}\"", policy.name, policy.version)
}

/// Lists the policies that jobs may name. Scope `preflight:read`.
#[utoipa::path(
    get, path = "/api/preflight/jobs/policies", tag = "policies", responses((status = 200, body = PolicyList)))]
async fn of_jobs(policies: web::Data<Policies>, who: Who) -> Answer {
    list(policies, who).await
}

/// The same list. Scope `preflight:read`.
#[utoipa::path(get, path = "/api/preflight/policies", tag = "policies", responses((status = 200, body = PolicyList)))]
async fn list(policies: web::Data<Policies>, Who(who): Who) -> Answer {
    let items = policies.list(&who).await?.into_iter().map(PolicyView::brief).collect();
    Ok(ok(&PolicyList { items }))
}

/// Reads a policy: `name` for its newest version, or `name@version`. Scope `preflight:read`.
#[utoipa::path(
    get, path = "/api/preflight/policies/{policy}", tag = "policies", params(("policy" = String, Path)),
    responses((status = 200, body = PolicyView), (status = 404)))]
async fn find(policies: web::Data<Policies>, Who(who): Who, policy: PathOf<String>) -> Answer {
    may_read(&who).await?;
    let wanted: PolicyRef = policy.parse().map_err(|_: Fault| Fault::not_found("policy"))?;
    let policy = policies.find(&who, &wanted).await?;
    let tag = tag(&policy);
    Ok(HttpResponse::Ok().insert_header((ETAG, tag)).json(PolicyView::whole(policy)?))
}

/// Stores a version of a policy of the tenant's own; a version never changes. Scope `preflight:write`.
///
/// The body is the policy; `id` and `version` may be absent. What equals the newest version answers that one, with 200.
#[utoipa::path(
    put, path = "/api/preflight/policies/{policy}", tag = "policies", params(("policy" = String, Path)),
    request_body(content_type = "application/json", description = "By the schema at `/api/preflight/schemas/policy`"),
    responses(
        (status = 201, body = PolicyView), (status = 200, body = PolicyView, description = "It is the newest version already"),
        (status = 400, description = "`POLICY_NAME_INVALID`; `POLICY_INVALID`, with `problems`"),
        (status = 409, description = "`POLICY_NAME_TAKEN`, `POLICY_VERSION_CONFLICT`, `POLICIES_FULL`")))]
async fn put(
    policies: web::Data<Policies>,
    Who(who): Who,
    name: PathOf<String>,
    body: Later<Body<Value>>,
) -> Answer {
    let document = body.after(may_write(&who)).await?;
    let document = serde_json::to_string(&*document).map_err(Fault::internal)?;
    let (policy, is_new) = policies.put(&who, &name, &document).await?;
    let (tag, place) = (tag(&policy), format!("/api/preflight/policies/{}@{}", policy.name, policy.version));
    let mut answer = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(answer.insert_header((ETAG, tag)).insert_header((LOCATION, place)).json(PolicyView::whole(policy)?))
}

/// Withdraws a policy of the tenant's own from further jobs; those that named it keep it. Scope `preflight:write`.
#[utoipa::path(
    delete, path = "/api/preflight/policies/{policy}", tag = "policies", params(("policy" = String, Path)),
    responses((status = 204), (status = 404), (status = 409, description = "`POLICY_NAME_TAKEN`: it is one of ours")))]
async fn withdraw(policies: web::Data<Policies>, Who(who): Who, name: PathOf<String>) -> Answer {
    policies.withdraw(&who, &name).await?;
    Ok(no_content())
}
