//! `/v1/admin`: administration of one's own tenant, in person or with an API key whose scope says so.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use mintmark_audit::log::{Position, Query, Recorded};
use mintmark_audit::proof::to_line;
use mintmark_auth::action;
use mintmark_ids::{ApiKeyId, BrandId, JobId, MembershipId, UserId};
use mintmark_jobs::DeadLetter;
use mintmark_web::{Access, Answer, Body, Caller, Later, Limit, List, Page, PathOf, QueryOf, Route};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::api_keys::KeyView;
use super::memberships::MembershipView;
use super::paging::{self, PageParams};
use super::sessions::SessionView;
use super::users::UserView;
use crate::app::admin::Administration;
use crate::app::api_keys::ApiKeys;
use crate::app::rights::Rights;
use crate::store::key_leases::RUN_OUT;

/// The part of the OpenAPI document about the administration of a tenant.
#[derive(OpenApi)]
#[openapi(paths(
    users,
    audit_entries,
    audit_proof,
    failed_events,
    replay,
    assign,
    unassign,
    revoke_key,
    impersonate
))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    let access = Access::SessionOrKey;
    vec![
        Route::get("/v1/admin/users", access, users),
        Route::get("/v1/admin/audit-entries", access, audit_entries),
        Route::get("/v1/admin/audit-entries/{entryId}/proof", access, audit_proof),
        Route::get("/v1/admin/failed-events", access, failed_events),
        Route::post("/v1/admin/failed-events/{eventId}/replay", access, replay),
        Route::post("/v1/admin/users/{userId}/roles", access, assign),
        Route::delete("/v1/admin/roles/{membershipId}", access, unassign).answers_after(RUN_OUT),
        // A leaked key must end also while nobody can count.
        Route::post("/v1/admin/api-keys/{keyId}/revoke", access, revoke_key)
            .limit(Limit::Counted)
            .answers_after(RUN_OUT),
        Route::post("/v1/admin/users/{userId}/impersonate", access, impersonate),
    ]
}

/// Which entries of the audit.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditParams {
    /// In whose name, as entries show it: `user:usr_…`, `api-key:key_…`, `control-token`.
    actor: Option<String>,
    /// What was done: `BATCH_CREATED`.
    action: Option<String>,
    /// To what kind of thing: `batch`.
    resource_kind: Option<String>,
    /// To which one.
    resource_id: Option<String>,
    /// Not before (RFC 3339).
    from: Option<DateTime<Utc>>,
    /// Before (RFC 3339).
    to: Option<DateTime<Utc>>,
}

/// An entry of the audit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntryView {
    id: Uuid,
    at: DateTime<Utc>,
    actor: String,
    action: String,
    resource_kind: String,
    resource_id: String,
    /// `allowed` or `refused`.
    outcome: String,
    trace_id: Option<String>,
    #[schema(value_type = Object)]
    detail: Value,
    /// Where the log holds it; null for about a second.
    leaf: Option<LeafView>,
}

/// Where the log holds an entry.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeafView {
    /// Which log: 1, and one more for each restore of the database.
    epoch: u64,
    /// The leaf, from 0.
    index: u64,
    /// Your tenant's own number in that log, from 1 without gaps.
    tenant_number: u64,
}

/// Work that was given up after its last attempt.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedEventView {
    #[schema(value_type = String, example = "job_01h45ytscbebyvny4gc8cr8ma2")]
    id: JobId,
    /// What was to be done: `mint-batch`.
    kind: String,
    last_error: Option<String>,
    attempts: u32,
    replays: u32,
    created_at: DateTime<Utc>,
    failed_at: DateTime<Utc>,
}

/// A role to give.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleBody {
    /// `owner`, `admin` or `member` for a brand, at most your own there; or `USER` for the tenant.
    role: String,
    /// The brand of a brand's role.
    #[schema(value_type = Option<String>)]
    brand_id: Option<BrandId>,
}

/// For how long to act as somebody.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImpersonationBody {
    /// Seconds to live, at most 900, which is also what it is when left out.
    #[schema(minimum = 1, maximum = 900)]
    ttl_secs: Option<u64>,
}

impl From<Recorded> for AuditEntryView {
    fn from(entry: Recorded) -> Self {
        AuditEntryView {
            id: entry.id,
            at: entry.at,
            actor: entry.actor,
            action: entry.action,
            resource_kind: entry.resource_kind,
            resource_id: entry.resource_id,
            outcome: entry.outcome,
            trace_id: entry.trace_id,
            detail: entry.detail,
            leaf: entry.position.map(LeafView::from),
        }
    }
}

impl From<Position> for LeafView {
    fn from(Position { epoch, index, tenant_number }: Position) -> Self {
        LeafView { epoch, index, tenant_number }
    }
}

impl From<DeadLetter> for FailedEventView {
    fn from(letter: DeadLetter) -> Self {
        FailedEventView {
            id: letter.job,
            kind: letter.kind,
            last_error: letter.last_error,
            attempts: letter.attempts,
            replays: letter.replays,
            created_at: letter.created_at,
            failed_at: letter.died_at,
        }
    }
}

impl From<AuditParams> for Query {
    fn from(params: AuditParams) -> Self {
        let AuditParams { actor, action, resource_kind, resource_id, from, to } = params;
        Query { actor, action, resource_kind, resource_id, from, to }
    }
}

type Parts = (web::Data<Administration>, web::Data<Rights>);

/// Lists the people of your tenant, newest first (`admin:read`).
#[utoipa::path(
    get, path = "/v1/admin/users", tag = "administration", params(PageParams),
    responses((status = 200, body = List<UserView>)))]
async fn users((admin, rights): Parts, Caller(who): Caller, page: Later<Page>) -> Answer {
    let page = page.after(rights.tenant::<action::ReadAdmin>(&who)).await?;
    let slice = admin.users(&who, paging::window(&page)).await?;
    Ok(HttpResponse::Ok().json(paging::list(slice, UserView::from)))
}

/// Lists what happened in your tenant, newest first (`admin:read`).
#[utoipa::path(
    get, path = "/v1/admin/audit-entries", tag = "administration", params(AuditParams, PageParams),
    responses((status = 200, body = List<AuditEntryView>)))]
async fn audit_entries(
    (admin, rights): Parts,
    Caller(who): Caller,
    query: Later<QueryOf<AuditParams>>,
    page: Later<Page>,
) -> Answer {
    let query = query.after(rights.tenant::<action::ReadAdmin>(&who)).await?;
    let page = page.after(rights.tenant::<action::ReadAdmin>(&who)).await?;
    let slice = admin.audit(&who, &query.0.into(), paging::window(&page)).await?;
    Ok(HttpResponse::Ok().json(paging::list(slice, AuditEntryView::from)))
}

/// Proves that the log holds an entry of your tenant (`admin:read`): the entry with its salt, its leaf, the path to the root,
/// and the signed checkpoint. `mintmark audit verify` reads it offline. 409 for about a second after the act.
#[utoipa::path(
    get, path = "/v1/admin/audit-entries/{entryId}/proof", tag = "administration",
    params(("entryId" = Uuid, Path)),
    responses((status = 200, description = "One line of JSON", body = Object)))]
async fn audit_proof(admin: web::Data<Administration>, Caller(who): Caller, id: PathOf<Uuid>) -> Answer {
    let proof = admin.audit_proof(&who, id.0).await?;
    // A proof has exactly one spelling, which its verifier insists on.
    Ok(HttpResponse::Ok().content_type("application/json").body(to_line(&proof)))
}

/// Lists the work of your tenant that was given up, newest first (`admin:read`).
#[utoipa::path(
    get, path = "/v1/admin/failed-events", tag = "administration", params(PageParams),
    responses((status = 200, body = List<FailedEventView>)))]
async fn failed_events((admin, rights): Parts, Caller(who): Caller, page: Later<Page>) -> Answer {
    let page = page.after(rights.tenant::<action::ReadAdmin>(&who)).await?;
    let slice = admin.failed_events(&who, paging::window(&page)).await?;
    Ok(HttpResponse::Ok().json(paging::list(slice, FailedEventView::from)))
}

/// Runs failed work again, once (`admin:write`).
#[utoipa::path(
    post, path = "/v1/admin/failed-events/{eventId}/replay", tag = "administration",
    params(("eventId" = String, Path)), responses((status = 202, description = "Back in the queue")))]
async fn replay(admin: web::Data<Administration>, Caller(who): Caller, id: PathOf<JobId>) -> Answer {
    admin.replay(&who, id.0).await?;
    Ok(HttpResponse::Accepted().finish())
}

/// Gives a person of your tenant a role that you have yourself (`admin:write`).
#[utoipa::path(
    post, path = "/v1/admin/users/{userId}/roles", tag = "administration", request_body = RoleBody,
    params(("userId" = String, Path)), responses((status = 201, body = MembershipView)))]
async fn assign(
    (admin, rights): Parts,
    Caller(who): Caller,
    user: PathOf<UserId>,
    body: Later<Body<RoleBody>>,
) -> Answer {
    let body = body.after(rights.user::<action::AssignRoles>(&who, user.0)).await?;
    let made = admin.assign(&who, user.0, body.brand_id, &body.role).await?;
    Ok(HttpResponse::Created().json(MembershipView::from(made)))
}

/// Takes a role away (`admin:write`).
#[utoipa::path(
    delete, path = "/v1/admin/roles/{membershipId}", tag = "administration",
    params(("membershipId" = String, Path)), responses((status = 204)))]
async fn unassign(admin: web::Data<Administration>, Caller(who): Caller, id: PathOf<MembershipId>) -> Answer {
    admin.unassign(&who, id.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Revokes any API key of your tenant (`admin:write`).
#[utoipa::path(
    post, path = "/v1/admin/api-keys/{keyId}/revoke", tag = "administration",
    params(("keyId" = String, Path)), responses((status = 200, body = KeyView)))]
async fn revoke_key(keys: web::Data<ApiKeys>, Caller(who): Caller, id: PathOf<ApiKeyId>) -> Answer {
    Ok(HttpResponse::Ok().json(KeyView::from(keys.revoke_any(&who, id.0).await?)))
}

/// Makes a session in which you act as a person of your tenant (`admin:write`): at most 15 minutes, never with more rights
/// than your own, and closed to minting, exports, evidence, roles and keys.
#[utoipa::path(
    post, path = "/v1/admin/users/{userId}/impersonate", tag = "administration",
    request_body = ImpersonationBody, params(("userId" = String, Path)),
    responses((status = 201, body = SessionView)))]
async fn impersonate(
    (admin, rights): Parts,
    Caller(who): Caller,
    user: PathOf<UserId>,
    body: Later<Body<ImpersonationBody>>,
) -> Answer {
    let body = body.after(rights.user::<action::Impersonate>(&who, user.0)).await?;
    let minted = admin.impersonate(&who, user.0, body.ttl_secs).await?;
    let view = SessionView::from(&minted);
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(view))
}
