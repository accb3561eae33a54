//! `/v1/api-keys`: a person's own session, no key.

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use mintmark_auth::{ApiScope, Tier, action};
use mintmark_ids::{ApiKeyId, UserId};
use mintmark_web::{Access, Answer, Body, Caller, Later, Limit, List, Page, PathOf, Route};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::paging::{self, PageParams};
use crate::app::api_keys::{ApiKeys, FreshKey, KeyOrder, Rotation};
use crate::app::rights::Rights;
use crate::store::api_keys::ApiKey;
use crate::store::key_leases::RUN_OUT;

/// The part of the OpenAPI document about API keys.
#[derive(OpenApi)]
#[openapi(paths(create, list, find, rotate, revoke))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/api-keys", Access::Session, create),
        Route::get("/v1/api-keys", Access::Session, list),
        Route::get("/v1/api-keys/{keyId}", Access::Session, find),
        Route::post("/v1/api-keys/{keyId}/rotate", Access::Session, rotate).answers_after(RUN_OUT),
        // A leaked key must end also while nobody can count.
        Route::post("/v1/api-keys/{keyId}/revoke", Access::Session, revoke)
            .limit(Limit::Counted)
            .answers_after(RUN_OUT),
    ]
}

/// A key to make.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewKeyBody {
    /// 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200, example = "Nightly report")]
    name: String,
    /// At least one, each once, none that you could not grant.
    #[schema(value_type = Vec<String>, min_items = 1, example = json!(["exports:read"]))]
    scopes: Vec<ApiScope>,
    /// `free`, `pro` or `enterprise`; the tenant's when left out, never a higher one.
    #[schema(value_type = Option<String>)]
    tier: Option<Tier>,
    /// When the key ends by itself; never when left out.
    expires_at: Option<DateTime<Utc>>,
}

/// What a rotation changes; what is left out stays. `{}` rotates and changes nothing else.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotationBody {
    /// The same scopes or fewer.
    #[schema(value_type = Option<Vec<String>>)]
    scopes: Option<Vec<ApiScope>>,
    /// The same tier or a lower one.
    #[schema(value_type = Option<String>)]
    tier: Option<Tier>,
    /// The same end or an earlier one.
    expires_at: Option<DateTime<Utc>>,
}

/// A key, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyView {
    #[schema(value_type = String, example = "key_01h45ytscbebyvny4gc8cr8ma2")]
    id: ApiKeyId,
    name: String,
    /// Who made it, or put it in another's place: the key has no more rights than they have.
    #[schema(value_type = String)]
    created_by: UserId,
    #[schema(value_type = Vec<String>)]
    scopes: Vec<ApiScope>,
    #[schema(value_type = String)]
    tier: Tier,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    /// The key that a rotation put in its place.
    #[schema(value_type = Option<String>)]
    replaced_by: Option<ApiKeyId>,
    /// To the hour.
    last_used_at: Option<DateTime<Utc>>,
}

/// A fresh key: the only answer that has its text.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreshKeyView {
    /// The key itself: keep it now, it is shown once.
    key: String,
    #[serde(flatten)]
    about: KeyView,
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        KeyView {
            id: key.id,
            name: key.name,
            created_by: key.creator,
            scopes: key.scopes,
            tier: key.tier,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            replaced_by: key.replaced_by,
            last_used_at: key.last_used_at,
        }
    }
}

fn shown_once(fresh: FreshKey) -> HttpResponse {
    let location = format!("/v1/api-keys/{}", fresh.key.id);
    let view = FreshKeyView { key: fresh.issued.expose().to_owned(), about: fresh.key.into() };
    HttpResponse::Created()
        .insert_header((LOCATION, location))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(view)
}

/// Makes an API key; the answer shows it, and nothing ever does again.
#[utoipa::path(
    post, path = "/v1/api-keys", tag = "api-keys", request_body = NewKeyBody,
    responses((status = 201, body = FreshKeyView)))]
async fn create(
    (keys, rights): (web::Data<ApiKeys>, web::Data<Rights>),
    Caller(who): Caller,
    body: Later<Body<NewKeyBody>>,
) -> Answer {
    let body = body.after(rights.tenant::<action::CreateApiKey>(&who)).await?;
    let NewKeyBody { name, scopes, tier, expires_at } = body.into_inner();
    Ok(shown_once(keys.create(&who, KeyOrder { name, scopes, tier, expires_at }).await?))
}

/// Lists your keys, newest first; a tenant administrator sees everybody's.
#[utoipa::path(
    get, path = "/v1/api-keys", tag = "api-keys", params(PageParams),
    responses((status = 200, body = List<KeyView>)))]
async fn list(
    (keys, rights): (web::Data<ApiKeys>, web::Data<Rights>),
    Caller(who): Caller,
    page: Later<Page>,
) -> Answer {
    let page = page.after(rights.tenant::<action::ViewApiKeys>(&who)).await?;
    let slice = keys.list(&who, paging::window(&page)).await?;
    Ok(HttpResponse::Ok().json(paging::list(slice, KeyView::from)))
}

/// One key, without its text.
#[utoipa::path(
    get, path = "/v1/api-keys/{keyId}", tag = "api-keys", params(("keyId" = String, Path)),
    responses((status = 200, body = KeyView)))]
async fn find(keys: web::Data<ApiKeys>, Caller(who): Caller, id: PathOf<ApiKeyId>) -> Answer {
    Ok(HttpResponse::Ok().json(KeyView::from(keys.find(&who, id.0).await?)))
}

/// Puts a fresh key in the place of this one, which is revoked at once. The fresh key is yours, with your rights, also where
/// a colleague had made the old one.
#[utoipa::path(
    post, path = "/v1/api-keys/{keyId}/rotate", tag = "api-keys", params(("keyId" = String, Path)),
    request_body = RotationBody, responses((status = 201, body = FreshKeyView)))]
async fn rotate(
    (keys, rights): (web::Data<ApiKeys>, web::Data<Rights>),
    Caller(who): Caller,
    id: PathOf<ApiKeyId>,
    body: Later<Body<RotationBody>>,
) -> Answer {
    let body = body.after(rights.tenant::<action::ManageApiKey>(&who)).await?;
    let RotationBody { scopes, tier, expires_at } = body.into_inner();
    Ok(shown_once(keys.rotate(&who, id.0, Rotation { scopes, tier, expires_at }).await?))
}

/// Revokes a key: no request that begins after this has answered is let in with it.
#[utoipa::path(
    post, path = "/v1/api-keys/{keyId}/revoke", tag = "api-keys", params(("keyId" = String, Path)),
    responses((status = 200, body = KeyView)))]
async fn revoke(keys: web::Data<ApiKeys>, Caller(who): Caller, id: PathOf<ApiKeyId>) -> Answer {
    Ok(HttpResponse::Ok().json(KeyView::from(keys.revoke(&who, id.0).await?)))
}
