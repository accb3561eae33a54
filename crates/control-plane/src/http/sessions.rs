//! `/api/admin/sessions`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use mintmark_auth::Minted;
use mintmark_ids::UserId;
use mintmark_web::{Access, Answer, Body, Caller, Route};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::app::sessions::Sessions;

/// The part of the OpenAPI document about sessions.
#[derive(OpenApi)]
#[openapi(paths(create))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::post("/api/admin/sessions", Access::ControlToken, create)]
}

/// A session to make.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSessionBody {
    /// For whom.
    #[schema(value_type = String)]
    user_id: UserId,
    /// Seconds to live, at most `SESSION_TTL_SECS`, which is also what it is when left out.
    #[schema(minimum = 1)]
    ttl_secs: Option<u64>,
}

/// A session: shown once, kept nowhere.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// The bearer token for `/v1`.
    token: String,
    expires_at: DateTime<Utc>,
}

impl From<&Minted> for SessionView {
    fn from(minted: &Minted) -> Self {
        SessionView { token: minted.expose().to_owned(), expires_at: minted.expires_at() }
    }
}

/// Makes a session for a user.
#[utoipa::path(
    post, path = "/api/admin/sessions", tag = "admin", request_body = NewSessionBody,
    responses((status = 201, body = SessionView)))]
async fn create(sessions: web::Data<Sessions>, Caller(who): Caller, body: Body<NewSessionBody>) -> Answer {
    let minted = sessions.create(&who, body.user_id, body.ttl_secs).await?;
    let view = SessionView::from(&minted);
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(view))
}
