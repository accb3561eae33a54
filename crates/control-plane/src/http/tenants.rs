//! `/api/admin/tenants`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use mintmark_auth::Tier;
use mintmark_ids::TenantId;
use mintmark_web::{Access, Answer, Body, Caller, List, Page, PathOf, Route};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::paging::{self, PageParams};
use crate::app::tenants::Tenants;
use crate::store::key_leases::RUN_OUT;
use crate::store::tenants::{Tenant, TenantChange};

/// The part of the OpenAPI document about tenants.
#[derive(OpenApi)]
#[openapi(paths(create, list, find, update))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/admin/tenants", Access::ControlToken, create),
        Route::get("/api/admin/tenants", Access::ControlToken, list),
        Route::get("/api/admin/tenants/{tenantId}", Access::ControlToken, find),
        Route::patch("/api/admin/tenants/{tenantId}", Access::ControlToken, update).answers_after(RUN_OUT),
    ]
}

/// A tenant to create.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewTenantBody {
    /// A slug of 3 to 63 characters: a-z, 0-9 and hyphens.
    #[schema(example = "acme-spirits", pattern = "^[a-z0-9-]{3,63}$")]
    id: String,
    /// 1 to 200 characters.
    #[schema(example = "Acme Spirits", min_length = 1, max_length = 200)]
    name: String,
    /// `free` (when left out), `pro` or `enterprise`.
    #[schema(value_type = Option<String>, example = "free")]
    tier: Option<Tier>,
}

/// What to change of a tenant; what is left out stays.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantChangeBody {
    /// 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// `free`, `pro` or `enterprise`.
    #[schema(value_type = Option<String>, example = "free")]
    tier: Option<Tier>,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantView {
    #[schema(value_type = String, example = "acme-spirits")]
    id: TenantId,
    name: String,
    #[schema(value_type = String, example = "free")]
    tier: Tier,
    created_at: DateTime<Utc>,
}

impl From<Tenant> for TenantView {
    fn from(tenant: Tenant) -> Self {
        TenantView { id: tenant.id, name: tenant.name, tier: tenant.tier, created_at: tenant.created_at }
    }
}

/// Creates a tenant.
#[utoipa::path(
    post, path = "/api/admin/tenants", tag = "admin", request_body = NewTenantBody,
    responses((status = 201, body = TenantView)))]
async fn create(tenants: web::Data<Tenants>, Caller(who): Caller, body: Body<NewTenantBody>) -> Answer {
    let tier = body.tier.unwrap_or(Tier::Free);
    let tenant = tenants.create(&who, &body.id, &body.name, tier).await?;
    let location = format!("/api/admin/tenants/{}", tenant.id);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(TenantView::from(tenant)))
}

/// Lists the tenants, newest first.
#[utoipa::path(
    get, path = "/api/admin/tenants", tag = "admin", params(PageParams),
    responses((status = 200, body = List<TenantView>)))]
async fn list(tenants: web::Data<Tenants>, Caller(who): Caller, page: Page) -> Answer {
    let slice = tenants.list(&who, paging::window(&page)).await?;
    Ok(HttpResponse::Ok().json(paging::list(slice, TenantView::from)))
}

/// Shows a tenant.
#[utoipa::path(
    get, path = "/api/admin/tenants/{tenantId}", tag = "admin",
    params(("tenantId" = String, Path)),
    responses((status = 200, body = TenantView)))]
async fn find(tenants: web::Data<Tenants>, Caller(who): Caller, id: PathOf<TenantId>) -> Answer {
    let tenant = tenants.find(&who, id.0).await?;
    Ok(HttpResponse::Ok().json(TenantView::from(tenant)))
}

/// Changes a tenant's name or tier.
#[utoipa::path(
    patch, path = "/api/admin/tenants/{tenantId}", tag = "admin",
    params(("tenantId" = String, Path)), request_body = TenantChangeBody,
    responses((status = 200, body = TenantView)))]
async fn update(
    tenants: web::Data<Tenants>,
    Caller(who): Caller,
    id: PathOf<TenantId>,
    body: Body<TenantChangeBody>,
) -> Answer {
    let change = TenantChange { name: body.name.clone(), tier: body.tier };
    let tenant = tenants.update(&who, id.0, change).await?;
    Ok(HttpResponse::Ok().json(TenantView::from(tenant)))
}
