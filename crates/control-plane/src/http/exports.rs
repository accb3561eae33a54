//! `/v1/batches/{batchId}/exports`, `/v1/exports/{exportId}` and its download.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use mintmark_auth::action;
use mintmark_ids::{BatchId, ExportId};
use mintmark_objects::SignedUrl;
use mintmark_web::{Access, Answer, Body, Caller, Later, List, Page, PathOf, Route};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::batches::{FailureView, ProgressView};
use super::idempotency;
use super::paging::{self, PageParams};
use crate::app::exports::{Download, Exports, Tracked};
use crate::app::idempotency::Request;
use crate::app::pack::hex;
use crate::app::rights::Rights;
use crate::store::exports::{StoredIndex, StoredPart};

/// The part of the OpenAPI document about exports.
#[derive(OpenApi)]
#[openapi(paths(create, list, find, cancel, download))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/batches/{batchId}/exports", Access::Session, create),
        Route::get("/v1/batches/{batchId}/exports", Access::Session, list),
        Route::get("/v1/exports/{exportId}", Access::Session, find),
        Route::post("/v1/exports/{exportId}/cancel", Access::Session, cancel),
        Route::get("/v1/exports/{exportId}/download", Access::Session, download),
    ]
}

/// An export to make.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewExportBody {
    /// Any of `csv` (a table of codes), `svg` and `png` (a symbol for each code as a file) and `pdf` (the symbols on
    /// sheets of labels, A4); absent: `csv` and `svg`.
    #[serde(default)]
    #[schema(example = json!(["csv", "svg"]))]
    formats: Option<Vec<String>>,
}

/// An export of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportView {
    #[schema(value_type = String, example = "exp_01h45ytscbebyvny4gc8cr8ma2")]
    id: ExportId,
    #[schema(value_type = String)]
    batch_id: BatchId,
    formats: Vec<&'static str>,
    /// `queued`, `running`, `ready` (can be downloaded), `failed`, `cancelled` or `expired` (deleted after its retention).
    state: &'static str,
    progress: ProgressView,
    /// How many ZIP files it has, or will have.
    parts: u64,
    /// Size of all ZIP files; 0 until it is ready.
    bytes: u64,
    created_at: DateTime<Utc>,
    /// When its files are deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureView>,
}

/// Where to fetch the files of an export. Each URL works for five minutes, for whoever has it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DownloadView {
    parts: Vec<PartView>,
    index: IndexView,
}

/// One ZIP file.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartView {
    /// Counted from 1.
    part: u32,
    url: String,
    expires_at: DateTime<Utc>,
    bytes: u64,
    /// Lower-case hexadecimal.
    sha256: String,
    first_serial: u64,
    units: u64,
}

/// The index over the ZIP files, as JSON.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IndexView {
    url: String,
    expires_at: DateTime<Utc>,
    bytes: u64,
    /// Lower-case hexadecimal.
    sha256: String,
}

impl From<Tracked> for ExportView {
    fn from(Tracked { export, progress }: Tracked) -> Self {
        ExportView {
            id: export.id,
            batch_id: export.batch_id,
            formats: export.formats.names(),
            state: export.state.as_str(),
            progress: progress.into(),
            parts: export.parts,
            bytes: export.bytes,
            created_at: export.created_at,
            expires_at: export.expires_at,
            failure: export.failure.map(FailureView::from),
        }
    }
}

impl From<Download> for DownloadView {
    fn from(download: Download) -> Self {
        DownloadView {
            parts: download.parts.into_iter().map(PartView::from).collect(),
            index: download.index.into(),
        }
    }
}

impl From<(StoredPart, SignedUrl)> for PartView {
    fn from((StoredPart { part, .. }, signed): (StoredPart, SignedUrl)) -> Self {
        PartView {
            part: part.range.part,
            url: signed.url,
            expires_at: signed.expires_at,
            bytes: part.bytes,
            sha256: hex(&part.sha256),
            first_serial: part.range.first_serial,
            units: part.range.units,
        }
    }
}

impl From<(StoredIndex, SignedUrl)> for IndexView {
    fn from((index, signed): (StoredIndex, SignedUrl)) -> Self {
        IndexView {
            url: signed.url,
            expires_at: signed.expires_at,
            bytes: index.bytes,
            sha256: hex(&index.sha256),
        }
    }
}

/// Makes an export of a sealed batch in the background (Admin, Owner).
#[utoipa::path(
    post, path = "/v1/batches/{batchId}/exports", tag = "exports", request_body = NewExportBody,
    params(("batchId" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters")),
    responses((status = 202, body = ExportView)))]
async fn create(
    (exports, rights): (web::Data<Exports>, web::Data<Rights>),
    Caller(who): Caller,
    batch: PathOf<BatchId>,
    http: HttpRequest,
    body: Later<Body<NewExportBody>>,
) -> Answer {
    let batch = batch.0;
    let body = body.after(rights.batch::<action::GenerateExport>(&who, batch)).await?;
    let (key, fingerprint) = (idempotency::key(&http), body.fingerprint());
    let request =
        || Request::optional("POST", format!("/v1/batches/{batch}/exports"), key.as_deref(), fingerprint);
    let formats = body.into_inner().formats;
    let answer = exports.create(&who, batch, formats.as_deref(), request, render).await?;
    Ok(idempotency::respond(&answer, "/v1/exports"))
}

fn render(export: &Tracked) -> Value {
    // Text keys and plain values alone: this cannot fail, and null would be seen by every test.
    serde_json::to_value(ExportView::from(export.clone())).unwrap_or_default()
}

/// Lists a batch's exports, newest first (members).
#[utoipa::path(
    get, path = "/v1/batches/{batchId}/exports", tag = "exports",
    params(("batchId" = String, Path), PageParams),
    responses((status = 200, body = List<ExportView>)))]
async fn list(
    (exports, rights): (web::Data<Exports>, web::Data<Rights>),
    Caller(who): Caller,
    batch: PathOf<BatchId>,
    page: Later<Page>,
) -> Answer {
    let page = page.after(rights.batch::<action::ViewBatch>(&who, batch.0)).await?;
    let slice = exports.list(&who, batch.0, paging::window(&page)).await?;
    Ok(HttpResponse::Ok().json(paging::list(slice, ExportView::from)))
}

/// Shows an export and how far it is (members).
#[utoipa::path(
    get, path = "/v1/exports/{exportId}", tag = "exports", params(("exportId" = String, Path)),
    responses((status = 200, body = ExportView)))]
async fn find(exports: web::Data<Exports>, Caller(who): Caller, id: PathOf<ExportId>) -> Answer {
    let tracked = exports.find(&who, id.0).await?;
    Ok(HttpResponse::Ok().json(ExportView::from(tracked)))
}

/// Calls off an export that is not ready yet (Admin, Owner). What was made of it is deleted; doing it again changes nothing.
#[utoipa::path(
    post, path = "/v1/exports/{exportId}/cancel", tag = "exports", params(("exportId" = String, Path)),
    responses((status = 200, body = ExportView)))]
async fn cancel(exports: web::Data<Exports>, Caller(who): Caller, id: PathOf<ExportId>) -> Answer {
    let tracked = exports.cancel(&who, id.0).await?;
    Ok(HttpResponse::Ok().json(ExportView::from(tracked)))
}

/// Gives URLs to fetch the files of a ready export from, valid for five minutes (members). Noted in the batch's history.
#[utoipa::path(
    get, path = "/v1/exports/{exportId}/download", tag = "exports", params(("exportId" = String, Path)),
    responses((status = 200, body = DownloadView)))]
async fn download(exports: web::Data<Exports>, Caller(who): Caller, id: PathOf<ExportId>) -> Answer {
    let download = exports.download(&who, id.0).await?;
    let mut response = HttpResponse::Ok();
    // The answer is as good as the files.
    response.insert_header((CACHE_CONTROL, HeaderValue::from_static("private, no-store")));
    Ok(response.json(DownloadView::from(download)))
}
