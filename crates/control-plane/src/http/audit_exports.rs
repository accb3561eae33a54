//! `/v1/admin/audit-exports`: the tenant's audit log as a file.

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use mintmark_auth::action;
use mintmark_ids::ExportId;
use mintmark_web::{Access, Answer, Body, Caller, Later, List, Page, PathOf, Route};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::paging::{self, PageParams};
use crate::app::audit_exports::AuditExports;
use crate::app::pack::hex;
use crate::app::rights::Rights;
use crate::store::audit_exports::AuditExport;

/// The part of the OpenAPI document about exports of the audit.
#[derive(OpenApi)]
#[openapi(paths(create, list, find, download))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    let access = Access::SessionOrKey;
    vec![
        Route::post("/v1/admin/audit-exports", access, create),
        Route::get("/v1/admin/audit-exports", access, list),
        Route::get("/v1/admin/audit-exports/{exportId}", access, find),
        Route::get("/v1/admin/audit-exports/{exportId}/download", access, download),
    ]
}

/// Which part of the log; `{}` is all of it until now.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditExportBody {
    /// Not before (RFC 3339).
    from: Option<DateTime<Utc>>,
    /// Before (RFC 3339).
    to: Option<DateTime<Utc>>,
}

/// An export of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditExportView {
    #[schema(value_type = String, example = "exp_01h45ytscbebyvny4gc8cr8ma2")]
    id: ExportId,
    /// `queued`, `ready`, `failed` or `expired`.
    state: String,
    from: Option<DateTime<Utc>>,
    to: DateTime<Utc>,
    entries: Option<u64>,
    bytes: Option<u64>,
    /// Of the file, in hexadecimal.
    sha256: Option<String>,
    failure: Option<String>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
}

/// Where the file is for five minutes: one JSON object a line (NDJSON), in the order of the entries' ids.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditDownloadView {
    url: String,
    expires_at: DateTime<Utc>,
    export: AuditExportView,
}

impl From<AuditExport> for AuditExportView {
    fn from(export: AuditExport) -> Self {
        AuditExportView {
            id: export.id,
            state: export.state,
            from: export.from,
            to: export.to,
            entries: export.entries,
            bytes: export.bytes,
            sha256: export.sha256.as_deref().map(hex),
            failure: export.failure,
            created_at: export.created_at,
            expires_at: export.expires_at,
        }
    }
}

type Parts = (web::Data<AuditExports>, web::Data<Rights>);

/// Has your tenant's audit log written to a file (`exports:read`).
#[utoipa::path(
    post, path = "/v1/admin/audit-exports", tag = "administration", request_body = AuditExportBody,
    responses((status = 202, body = AuditExportView)))]
async fn create((exports, rights): Parts, Caller(who): Caller, body: Later<Body<AuditExportBody>>) -> Answer {
    let body = body.after(rights.tenant::<action::ExportAuditLog>(&who)).await?;
    let export = exports.create(&who, body.from, body.to).await?;
    let location = format!("/v1/admin/audit-exports/{}", export.id);
    Ok(HttpResponse::Accepted().insert_header((LOCATION, location)).json(AuditExportView::from(export)))
}

/// Lists the exports of your tenant's audit log, newest first (`exports:read`).
#[utoipa::path(
    get, path = "/v1/admin/audit-exports", tag = "administration", params(PageParams),
    responses((status = 200, body = List<AuditExportView>)))]
async fn list((exports, rights): Parts, Caller(who): Caller, page: Later<Page>) -> Answer {
    let page = page.after(rights.tenant::<action::ExportAuditLog>(&who)).await?;
    let slice = exports.list(&who, paging::window(&page)).await?;
    Ok(HttpResponse::Ok().json(paging::list(slice, AuditExportView::from)))
}

/// Shows how far an export is (`exports:read`).
#[utoipa::path(
    get, path = "/v1/admin/audit-exports/{exportId}", tag = "administration",
    params(("exportId" = String, Path)), responses((status = 200, body = AuditExportView)))]
async fn find(exports: web::Data<AuditExports>, Caller(who): Caller, id: PathOf<ExportId>) -> Answer {
    Ok(HttpResponse::Ok().json(AuditExportView::from(exports.find(&who, id.0).await?)))
}

/// Gives a URL to fetch a ready export from, valid for five minutes (`exports:read`).
#[utoipa::path(
    get, path = "/v1/admin/audit-exports/{exportId}/download", tag = "administration",
    params(("exportId" = String, Path)), responses((status = 200, body = AuditDownloadView)))]
async fn download(exports: web::Data<AuditExports>, Caller(who): Caller, id: PathOf<ExportId>) -> Answer {
    let (export, signed) = exports.download(&who, id.0).await?;
    let view = AuditDownloadView {
        url: signed.url,
        expires_at: signed.expires_at,
        export: AuditExportView::from(export),
    };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "private, no-store")).json(view))
}
