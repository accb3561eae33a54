//! `/v1/preflight-tokens` and `/api/admin/preflight-tokens`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use mintmark_ids::{BrandId, TenantId};
use mintmark_web::{Access, Answer, Body, Caller, Route};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::app::preflight_tokens::{PreflightToken, PreflightTokens};

/// The part of the OpenAPI document about PREFLIGHT_JWTs.
#[derive(OpenApi)]
#[openapi(paths(exchange, issue))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/preflight-tokens", Access::Session, exchange),
        Route::post("/api/admin/preflight-tokens", Access::ControlToken, issue),
    ]
}

/// What a token is wanted for.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExchangeBody {
    /// `preflight:read`, `preflight:write`, `preflight:analyze`, `jobs:read`, `jobs:write`: at least one.
    #[schema(example = json!(["preflight:read", "jobs:read"]))]
    scopes: Vec<String>,
    /// Whose role counts: the one for this brand; absent: the highest that one has for any brand.
    #[schema(value_type = Option<String>)]
    brand_id: Option<BrandId>,
}

/// A token for a tenant.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssueBody {
    /// For which tenant.
    #[schema(value_type = String, example = "ppos-production-worker")]
    tenant_id: TenantId,
    /// As for `/v1/preflight-tokens`.
    #[schema(example = json!(["preflight:read", "jobs:read"]))]
    scopes: Vec<String>,
}

/// A PREFLIGHT_JWT: shown once, kept nowhere.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreflightTokenView {
    /// The bearer token for the preflight service: five minutes.
    token: String,
    expires_at: DateTime<Utc>,
    /// What it carries in `scp`.
    scopes: Vec<&'static str>,
}

/// Exchanges a session for a PREFLIGHT_JWT of the same tenant: members get `preflight:read` and `jobs:read`, Admin and Owner all five.
#[utoipa::path(
    post, path = "/v1/preflight-tokens", tag = "preflight", request_body = ExchangeBody,
    responses(
        (status = 201, body = PreflightTokenView),
        (status = 403, description = "More than one's role carries: `requiredScope`, `grantedScopes`"),
        (status = 422, description = "A scope that does not exist: `UNKNOWN_SCOPE`")))]
async fn exchange(
    tokens: web::Data<PreflightTokens>,
    Caller(who): Caller,
    body: Body<ExchangeBody>,
) -> Answer {
    Ok(created(tokens.exchange(&who, &body.scopes, body.brand_id).await?))
}

/// Issues a PREFLIGHT_JWT for a tenant, in the name of the control plane.
#[utoipa::path(
    post, path = "/api/admin/preflight-tokens", tag = "admin", request_body = IssueBody,
    responses(
        (status = 201, body = PreflightTokenView),
        (status = 422, description = "A scope that does not exist: `UNKNOWN_SCOPE`")))]
async fn issue(tokens: web::Data<PreflightTokens>, Caller(who): Caller, body: Body<IssueBody>) -> Answer {
    Ok(created(tokens.issue(&who, body.tenant_id.clone(), &body.scopes).await?))
}

fn created(token: PreflightToken) -> HttpResponse {
    let view = PreflightTokenView {
        token: token.minted.expose().to_owned(),
        expires_at: token.minted.expires_at(),
        scopes: token.scopes,
    };
    HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(view)
}
