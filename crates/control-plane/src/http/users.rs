//! `/api/admin/users`.

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use mintmark_ids::{TenantId, UserId};
use mintmark_web::{Access, Answer, Body, Caller, List, Page, PathOf, QueryOf, Route};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::paging::{self, PageParams};
use crate::app::users::Users;
use crate::store::key_leases::RUN_OUT;
use crate::store::users::{NewUser, User, UserChange};

/// The part of the OpenAPI document about users.
#[derive(OpenApi)]
#[openapi(paths(create, list, update))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/admin/users", Access::ControlToken, create),
        Route::get("/api/admin/users", Access::ControlToken, list),
        Route::patch("/api/admin/users/{userId}", Access::ControlToken, update).answers_after(RUN_OUT),
    ]
}

/// A user to create.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewUserBody {
    /// The tenant that the user belongs to.
    #[schema(value_type = String, example = "acme-spirits")]
    tenant_id: TenantId,
    /// At most 254 characters; unique within the tenant, whatever the case.
    #[schema(example = "ada@example.com", max_length = 254)]
    email: String,
    /// 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Whether the user may create brands; no when left out.
    #[serde(default)]
    tenant_admin: bool,
}

/// What to change of a user; what is left out stays.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserChangeBody {
    /// 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Whether the user may create brands.
    tenant_admin: Option<bool>,
    /// A disabled user's sessions are refused from the next request on.
    disabled: Option<bool>,
}

/// Whose users.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct OfTenant {
    /// The tenant.
    #[param(value_type = String)]
    tenant_id: TenantId,
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    #[schema(value_type = String, example = "usr_01h45ytscbebyvny4gc8cr8ma2")]
    id: UserId,
    #[schema(value_type = String)]
    tenant_id: TenantId,
    email: String,
    name: String,
    tenant_admin: bool,
    disabled: bool,
    created_at: DateTime<Utc>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        UserView {
            id: user.id,
            tenant_id: user.tenant,
            email: user.email,
            name: user.name,
            tenant_admin: user.tenant_admin,
            disabled: user.disabled_at.is_some(),
            created_at: user.created_at,
        }
    }
}

/// Creates a user.
#[utoipa::path(
    post, path = "/api/admin/users", tag = "admin", request_body = NewUserBody,
    responses((status = 201, body = UserView)))]
async fn create(users: web::Data<Users>, Caller(who): Caller, body: Body<NewUserBody>) -> Answer {
    let NewUserBody { tenant_id, email, name, tenant_admin } = body.into_inner();
    let user = users.create(&who, tenant_id, NewUser { email, name, tenant_admin }).await?;
    Ok(HttpResponse::Created().json(UserView::from(user)))
}

/// Lists a tenant's users, newest first.
#[utoipa::path(
    get, path = "/api/admin/users", tag = "admin", params(OfTenant, PageParams),
    responses((status = 200, body = List<UserView>)))]
async fn list(users: web::Data<Users>, Caller(who): Caller, of: QueryOf<OfTenant>, page: Page) -> Answer {
    let slice = users.list(&who, of.0.tenant_id, paging::window(&page)).await?;
    Ok(HttpResponse::Ok().json(paging::list(slice, UserView::from)))
}

/// Changes a user, or shuts one out.
#[utoipa::path(
    patch, path = "/api/admin/users/{userId}", tag = "admin",
    params(("userId" = String, Path)), request_body = UserChangeBody,
    responses((status = 200, body = UserView)))]
async fn update(
    users: web::Data<Users>,
    Caller(who): Caller,
    id: PathOf<UserId>,
    body: Body<UserChangeBody>,
) -> Answer {
    let UserChangeBody { name, tenant_admin, disabled } = body.into_inner();
    let user = users.update(&who, id.0, UserChange { name, tenant_admin, disabled }).await?;
    Ok(HttpResponse::Ok().json(UserView::from(user)))
}
