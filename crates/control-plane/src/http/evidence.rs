//! `/v1/evidence`.

use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HeaderValue, LOCATION, RANGE,
};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use chrono::{DateTime, Utc};
use futures::stream;
use mintmark_auth::action;
use mintmark_fault::{Fault, Kind};
use mintmark_ids::{DisputeId, EvidenceId};
use mintmark_rpc::client::Content;
use mintmark_web::{
    Access, Answer, Body, Caller, CursorKey, Later, List, Page, PathOf, Problem, QueryOf, Route, StreamBody,
};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::idempotency;
use super::paging::PageParams;
use crate::app::evidence::{Evidence, Part, Record, Upload};
use crate::app::idempotency::Request;
use crate::app::pack::hex;
use crate::app::rights::Rights;

/// The largest record on a slow line; silence ends an upload much earlier.
const UPLOAD_DEADLINE: Duration = Duration::from_secs(6 * 60 * 60);

/// The part of the OpenAPI document about evidence.
#[derive(OpenApi)]
#[openapi(paths(upload, list, find, content, hold))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/evidence", Access::Session, upload).deadline(UPLOAD_DEADLINE),
        Route::get("/v1/evidence", Access::Session, list),
        Route::get("/v1/evidence/{evidenceId}", Access::Session, find),
        Route::get("/v1/evidence/{evidenceId}/content", Access::Session, content),
        Route::put("/v1/evidence/{evidenceId}/legal-hold", Access::Session, hold),
    ]
}

/// Of which dispute.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DisputeParam {
    /// `dsp_…`.
    #[param(value_type = String)]
    dispute: DisputeId,
}

/// Whether a record is held.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LegalHoldBody {
    /// Held from now on, or not any more.
    legal_hold: bool,
}

/// What is known of a record of evidence without decrypting it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceView {
    #[schema(value_type = String, example = "evd_01h45ytscbebyvny4gc8cr8ma2")]
    id: EvidenceId,
    #[schema(value_type = String)]
    dispute_id: DisputeId,
    /// As it was uploaded.
    #[schema(example = "image/jpeg")]
    media_type: String,
    /// Length of the content.
    bytes: u64,
    /// Of the encrypted content, in hexadecimal; null once it is erased.
    ciphertext_sha256: Option<String>,
    /// `user:usr_…`.
    uploaded_by: String,
    created_at: Option<DateTime<Utc>>,
    /// When it becomes due for erasure.
    expires_at: Option<DateTime<Utc>>,
    /// Held records are not erased.
    legal_hold: bool,
    /// `stored`, `shredding` (its erasure has begun: nobody reads it any more) or `shredded`.
    state: &'static str,
    shredded_at: Option<DateTime<Utc>>,
}

impl From<Record> for EvidenceView {
    fn from(record: Record) -> Self {
        EvidenceView {
            id: record.id,
            dispute_id: record.dispute,
            media_type: record.media_type,
            bytes: record.bytes,
            ciphertext_sha256: record.ciphertext_sha256.as_deref().map(hex),
            uploaded_by: record.uploaded_by,
            created_at: record.created_at,
            expires_at: record.expires_at,
            legal_hold: record.legal_hold,
            state: record.state,
            shredded_at: record.shredded_at,
        }
    }
}

/// A cursor of the vault's, which only the vault reads.
#[derive(Clone, Debug)]
pub(super) struct VaultCursor(pub String);

impl CursorKey for VaultCursor {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.clone().into_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        (!text.is_empty() && text.bytes().all(|c| c.is_ascii_graphic())).then(|| VaultCursor(text.to_owned()))
    }
}

type Parts = (web::Data<Evidence>, web::Data<Rights>);

/// Uploads evidence to an open dispute (any role for evidence): the body as it is, of any size up to the vault's limit, its
/// type in `Content-Type`. Repeating the request under the same key answers with the record that the first one stored.
#[utoipa::path(
    post, path = "/v1/evidence", tag = "evidence", request_body(content = Vec<u8>, content_type = "*/*"),
    params(DisputeParam, ("Idempotency-Key" = String, Header, description = "1 to 255 visible ASCII characters")),
    responses(
        (status = 201, body = EvidenceView),
        (status = 400, description = "`INCOMPLETE_BODY`, `EVIDENCE_EMPTY`, `MEDIA_TYPE_INVALID`: nothing was stored"),
        (status = 409, description = "`DISPUTE_CLOSED`"), (status = 413, description = "`EVIDENCE_TOO_LARGE`"),
        (status = 503, description = "`EVIDENCE_UNAVAILABLE`, `AUDIT_BEHIND`")))]
async fn upload(
    (evidence, rights): Parts,
    Caller(who): Caller,
    http: HttpRequest,
    query: Later<QueryOf<DisputeParam>>,
    body: Later<StreamBody>,
) -> Answer {
    let query = query.after(rights.tenant::<action::UploadEvidence>(&who)).await?;
    let mut body = body.after(rights.tenant::<action::UploadEvidence>(&who)).await?;
    let key = idempotency::key(&http);
    // The body is no part of the fingerprint: the vault has its digest, encrypted, and nobody else may.
    let request = || {
        Request::required("POST", format!("/v1/evidence?dispute={}", query.dispute), key.as_deref(), [0; 32])
    };
    let new = Upload { media_type: std::mem::take(&mut body.content_type), bytes: body.length };
    let stored = evidence.upload(&who, query.dispute, request, new, async || body.next().await).await?;
    let mut answer = HttpResponse::Created();
    answer.insert_header((LOCATION, format!("/v1/evidence/{}", stored.record.id)));
    if stored.replayed {
        answer.insert_header(("Idempotent-Replayed", "true"));
    }
    Ok(answer.json(EvidenceView::from(stored.record)))
}

/// Lists the records of a dispute, newest first (any role for evidence; USER: what they uploaded).
#[utoipa::path(
    get, path = "/v1/evidence", tag = "evidence", params(DisputeParam, PageParams),
    responses((status = 200, body = List<EvidenceView>)))]
async fn list(
    (evidence, rights): Parts,
    Caller(who): Caller,
    query: Later<QueryOf<DisputeParam>>,
    page: Later<Page<VaultCursor>>,
) -> Answer {
    let query = query.after(rights.tenant::<action::ViewEvidence>(&who)).await?;
    let page = page.after(rights.tenant::<action::ViewEvidence>(&who)).await?;
    let after = page.cursor.map(|cursor| cursor.0);
    let records = evidence.list(&who, query.dispute, page.limit, after).await?;
    let next_cursor = records.next.map(|next| mintmark_web::Cursor::encode(&VaultCursor(next)));
    let items = records.items.into_iter().map(EvidenceView::from).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor }))
}

/// Shows what is known of a record (any role for evidence; USER: of what they uploaded).
#[utoipa::path(
    get, path = "/v1/evidence/{evidenceId}", tag = "evidence", params(("evidenceId" = String, Path)),
    responses((status = 200, body = EvidenceView)))]
async fn find(evidence: web::Data<Evidence>, Caller(who): Caller, id: PathOf<EvidenceId>) -> Answer {
    Ok(HttpResponse::Ok().json(EvidenceView::from(evidence.find(&who, id.0).await?)))
}

/// Decrypts a record, or one range of it (ARBITRATOR while the dispute is open; GOVERNANCE). Each read is in the audit before
/// the first byte.
#[utoipa::path(
    get, path = "/v1/evidence/{evidenceId}/content", tag = "evidence",
    params(("evidenceId" = String, Path),
        ("Range" = Option<String>, Header, description = "`bytes=` and one range; several are answered with the whole")),
    responses(
        (status = 200, description = "The content", content_type = "application/octet-stream"),
        (status = 206, description = "The range"), (status = 403, description = "`FORBIDDEN`, `DISPUTE_CLOSED`"),
        (status = 410, description = "`EVIDENCE_SHREDDED`"), (status = 416, description = "`RANGE_NOT_SATISFIABLE`")))]
async fn content(
    evidence: web::Data<Evidence>,
    Caller(who): Caller,
    id: PathOf<EvidenceId>,
    http: HttpRequest,
) -> Answer {
    let part = part(&http);
    let content = match evidence.content(&who, id.0, part).await {
        Err(fault) if fault.kind() == Kind::OutOfRange => return Ok(beyond(fault)),
        content => content?,
    };
    let header = &content.header;
    let (offset, length, whole) = (header.offset, header.length, header.bytes);
    let partial = part != Part::Whole;
    let status = if partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut answer = HttpResponse::build(status);
    // Whatever was uploaded: a browser saves it, runs none of it, and keeps no copy.
    let media_type = HeaderValue::from_str(&header.media_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    answer
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", id.0)))
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ACCEPT_RANGES, "bytes"));
    if partial && length > 0 {
        answer.insert_header((CONTENT_RANGE, format!("bytes {offset}-{}/{whole}", offset + length - 1)));
    }
    Ok(answer.body(SizedStream::new(length, stream::try_unfold(content, next))))
}

/// The vault's refusal of a range, with the header that says how long the record is (RFC 9110, 15.5.17).
fn beyond(fault: Fault) -> HttpResponse {
    let bytes = fault.members().get("bytes").and_then(serde_json::Value::as_u64);
    let mut answer = Problem(fault).error_response();
    if let Some(value) = bytes.and_then(|bytes| HeaderValue::try_from(format!("bytes */{bytes}")).ok()) {
        answer.headers_mut().insert(CONTENT_RANGE, value);
    }
    answer
}

async fn next(mut content: Content) -> Result<Option<(bytes::Bytes, Content)>, Problem> {
    Ok(content.next().await?.map(|piece| (piece, content)))
}

/// Which bytes the header asks for. What is not one range of bytes asks for nothing in particular (RFC 9110, 14.2).
fn part(http: &HttpRequest) -> Part {
    let mut all = http.headers().get_all(RANGE);
    match (all.next().and_then(|value| value.to_str().ok()), all.next()) {
        (Some(text), None) => range(text).unwrap_or(Part::Whole),
        _ => Part::Whole,
    }
}

fn range(text: &str) -> Option<Part> {
    let (unit, one) = text.split_once('=')?;
    let (first, last) = one.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    match (digits(first), digits(last)) {
        (Some(first), Some(last)) if first <= last => {
            Some(Part::From(first, Some((last - first).saturating_add(1))))
        }
        (Some(first), None) if last.is_empty() => Some(Part::From(first, None)),
        (None, Some(bytes)) if first.is_empty() && bytes > 0 => Some(Part::Last(bytes)),
        _ => None,
    }
}

/// A number of digits alone: no sign, no space. One beyond 2^64 lies beyond every record.
fn digits(text: &str) -> Option<u64> {
    let all = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    all.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Sets or lifts the legal hold of a record (GOVERNANCE): while it is held it is not erased.
#[utoipa::path(
    put, path = "/v1/evidence/{evidenceId}/legal-hold", tag = "evidence", request_body = LegalHoldBody,
    params(("evidenceId" = String, Path)),
    responses((status = 200, body = EvidenceView),
        (status = 410, description = "`EVIDENCE_SHREDDED`: its erasure has begun or is done")))]
async fn hold(
    (evidence, rights): Parts,
    Caller(who): Caller,
    id: PathOf<EvidenceId>,
    body: Later<Body<LegalHoldBody>>,
) -> Answer {
    let body = body.after(rights.evidence::<action::HoldEvidence>(&who, id.0)).await?;
    let record = evidence.hold(&who, id.0, body.legal_hold).await?;
    Ok(HttpResponse::Ok().json(EvidenceView::from(record)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_is_one_range_of_bytes_or_nothing() {
        for (text, part) in [
            ("bytes=0-0", Some(Part::From(0, Some(1)))),
            ("bytes=5-9", Some(Part::From(5, Some(5)))),
            ("Bytes=5-", Some(Part::From(5, None))),
            ("bytes= 7-8", Some(Part::From(7, Some(2)))),
            ("bytes=-3", Some(Part::Last(3))),
            ("bytes=0-18446744073709551615", Some(Part::From(0, Some(u64::MAX)))),
            ("bytes=99999999999999999999-", Some(Part::From(u64::MAX, None))),
            ("bytes=-0", None),
            ("bytes=9-5", None),
            ("bytes=-", None),
            ("bytes=1-2,4-5", None),
            ("bytes=+1-2", None),
            ("items=0-1", None),
            ("bytes", None),
            ("", None),
        ] {
            assert_eq!(range(text), part, "{text}");
        }
    }

    #[test]
    fn vault_cursor_is_printable_text() {
        assert!(VaultCursor::from_bytes(b"abc-_=").is_some());
        for bad in [&b""[..], b"a b", b"a\n", b"\xff", "ключ".as_bytes()] {
            assert!(VaultCursor::from_bytes(bad).is_none(), "{bad:?}");
        }
    }
}
