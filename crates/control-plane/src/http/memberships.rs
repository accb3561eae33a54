//! `/api/admin/memberships`.

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use mintmark_fault::Fault;
use mintmark_ids::{BrandId, MembershipId, TenantId, UserId};
use mintmark_web::{Access, Answer, Body, Caller, List, Page, PathOf, QueryOf, Route};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::paging::{self, PageParams};
use crate::app::memberships::Memberships;
use crate::store::key_leases::RUN_OUT;
use crate::store::memberships::Membership;

/// The part of the OpenAPI document about memberships.
#[derive(OpenApi)]
#[openapi(paths(create, list, remove))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/admin/memberships", Access::ControlToken, create),
        Route::get("/api/admin/memberships", Access::ControlToken, list),
        Route::delete("/api/admin/memberships/{membershipId}", Access::ControlToken, remove)
            .answers_after(RUN_OUT),
    ]
}

/// A role to grant.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewMembershipBody {
    /// To whom.
    #[schema(value_type = String)]
    user_id: UserId,
    /// For which brand: required for `owner`, `admin` and `member`, absent for the evidence roles.
    #[schema(value_type = Option<String>)]
    brand_id: Option<BrandId>,
    /// `owner`, `admin`, `member`, `USER`, `ARBITRATOR` or `GOVERNANCE`.
    #[schema(example = "member")]
    role: String,
}

/// Whose memberships: a user's, or everybody's of a tenant. One of the two is required.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Of {
    /// All of a tenant.
    #[param(value_type = Option<String>)]
    tenant_id: Option<TenantId>,
    /// One user.
    #[param(value_type = Option<String>)]
    user_id: Option<UserId>,
}

/// A role that a user holds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MembershipView {
    #[schema(value_type = String, example = "mem_01h45ytscbebyvny4gc8cr8ma2")]
    id: MembershipId,
    #[schema(value_type = String)]
    tenant_id: TenantId,
    #[schema(value_type = String)]
    user_id: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    brand_id: Option<BrandId>,
    role: String,
    created_at: DateTime<Utc>,
}

impl From<Membership> for MembershipView {
    fn from(membership: Membership) -> Self {
        MembershipView {
            id: membership.id,
            tenant_id: membership.tenant,
            user_id: membership.user,
            brand_id: membership.grant.brand(),
            role: membership.grant.to_string(),
            created_at: membership.created_at,
        }
    }
}

/// Grants a role.
#[utoipa::path(
    post, path = "/api/admin/memberships", tag = "admin", request_body = NewMembershipBody,
    responses((status = 201, body = MembershipView)))]
async fn create(
    memberships: web::Data<Memberships>,
    Caller(who): Caller,
    body: Body<NewMembershipBody>,
) -> Answer {
    let membership = memberships.create(&who, body.user_id, body.brand_id, &body.role).await?;
    Ok(HttpResponse::Created().json(MembershipView::from(membership)))
}

/// Lists the roles of a user or of a whole tenant, newest first.
#[utoipa::path(
    get, path = "/api/admin/memberships", tag = "admin", params(Of, PageParams),
    responses((status = 200, body = List<MembershipView>)))]
async fn list(
    memberships: web::Data<Memberships>,
    Caller(who): Caller,
    of: QueryOf<Of>,
    page: Page,
) -> Answer {
    let window = paging::window(&page);
    let slice = match of.0 {
        Of { user_id: Some(user), tenant_id: None } => memberships.of_user(&who, user, window).await?,
        Of { user_id: None, tenant_id: Some(tenant) } => memberships.of_tenant(&who, tenant, window).await?,
        _ => return Err(Fault::invalid("INVALID_QUERY", "userId", "say either userId or tenantId").into()),
    };
    Ok(HttpResponse::Ok().json(paging::list(slice, MembershipView::from)))
}

/// Takes a role away; it is gone at the user's next request.
#[utoipa::path(
    delete, path = "/api/admin/memberships/{membershipId}", tag = "admin",
    params(("membershipId" = String, Path)),
    responses((status = 204)))]
async fn remove(
    memberships: web::Data<Memberships>,
    Caller(who): Caller,
    id: PathOf<MembershipId>,
) -> Answer {
    memberships.delete(&who, id.0).await?;
    Ok(HttpResponse::NoContent().finish())
}
