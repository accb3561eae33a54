//! Proofs of erasure, the vault's audit, operations on a tenant's evidence, and the keys that others verify with.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use mintmark_auth::action;
use mintmark_fault::Fault;
use mintmark_ids::{EvidenceId, JobId, TenantId};
use mintmark_web::{Access, Answer, Body, Caller, Cursor, Later, Limit, List, Page, PathOf, QueryOf, Route};
use mintmark_wire::evidence::v1 as wire;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::evidence::VaultCursor;
use super::paging::PageParams;
use crate::app::evidence::utc;
use crate::app::evidence_admin::{EntryQuery, EvidenceAdmin, EvidenceKeys, kind_word};
use crate::app::pack::hex;
use crate::app::rights::Rights;

/// The part of the OpenAPI document about proofs, audit and operations of evidence.
#[derive(OpenApi)]
#[openapi(paths(erasure_proof, entries, entry_proof, start, operation, evidence_keys, audit_keys))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    let operations = "/api/admin/tenants/{tenantId}/evidence/operations";
    let one = "/api/admin/tenants/{tenantId}/evidence/operations/{operationId}";
    vec![
        Route::get("/v1/admin/erasure-proof/{evidenceId}", Access::SessionOrKey, erasure_proof),
        Route::get("/v1/admin/evidence-audit", Access::SessionOrKey, entries),
        Route::get("/v1/admin/evidence-audit/{entryId}/proof", Access::SessionOrKey, entry_proof),
        Route::post(operations, Access::ControlToken, start),
        Route::get(one, Access::ControlToken, operation),
        // Whoever verifies a proof needs them, from wherever and however often; the vault is asked once a minute.
        Route::get("/.well-known/evidence-keys.json", Access::Public, evidence_keys).limit(Limit::Exempt),
        Route::get("/.well-known/audit-keys.txt", Access::Public, audit_keys).limit(Limit::Exempt),
    ]
}

/// What proves that a record was erased.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErasureProofView {
    #[schema(value_type = String)]
    evidence_id: String,
    /// A PS256 JWT, the same bytes for ever.
    proof: String,
    /// Proofs that recovery runs added, oldest first.
    recovery_proofs: Vec<String>,
    /// Certificates of the destruction of the keys that could have decrypted it, as far as they are destroyed.
    key_certificates: Vec<String>,
    /// `logical` or `cryptographic`: what the key provider can claim.
    assurance: String,
    /// Whether all of those keys are destroyed.
    keys_destroyed: bool,
}

/// Which entries of the vault's audit.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EntryParams {
    /// In whose name, as entries show it: `user:usr_…`, `api-key:key_…`, `control-token`.
    actor: Option<String>,
    /// What was done: `EVIDENCE_ACCESSED`.
    action: Option<String>,
    /// To what kind of thing: `evidence`.
    resource_kind: Option<String>,
    /// To which one.
    resource_id: Option<String>,
    /// Not before (RFC 3339).
    from: Option<DateTime<Utc>>,
    /// Before (RFC 3339).
    to: Option<DateTime<Utc>>,
}

/// An entry of the vault's audit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceEntryView {
    id: String,
    at: Option<DateTime<Utc>>,
    actor: String,
    action: String,
    resource_kind: String,
    resource_id: String,
    /// `allowed` or `refused`.
    outcome: String,
    trace_id: Option<String>,
    #[schema(value_type = Object)]
    detail: Value,
    /// Where the log holds it; null until it is sequenced.
    leaf: Option<LeafView>,
}

/// A place in the vault's log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeafView {
    origin: String,
    index: u64,
    /// The tenant's own number, from 1.
    tenant_number: u64,
}

/// Work to start.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperationBody {
    /// `retention` (erase what is due now), `rotate-keys` or `recompute-retention`.
    #[schema(example = "retention")]
    kind: String,
}

/// Work on all of a tenant's evidence.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceOperationView {
    #[schema(example = "job_01h45ytscbebyvny4gc8cr8ma2")]
    id: String,
    kind: &'static str,
    /// `queued`, `running`, `succeeded`, `dead` or `cancelled`.
    state: String,
    /// Records done.
    done: u64,
    /// Records to do, as far as it is known.
    total: u64,
    last_error: Option<String>,
}

impl From<wire::GetErasureProofResponse> for ErasureProofView {
    fn from(proof: wire::GetErasureProofResponse) -> Self {
        ErasureProofView {
            evidence_id: proof.evidence_id,
            proof: proof.proof,
            recovery_proofs: proof.recovery_proofs,
            key_certificates: proof.key_certificates,
            assurance: proof.assurance,
            keys_destroyed: proof.keys_destroyed,
        }
    }
}

impl From<wire::AuditEntry> for EvidenceEntryView {
    fn from(entry: wire::AuditEntry) -> Self {
        EvidenceEntryView {
            id: entry.entry_id,
            at: utc(entry.at),
            actor: entry.actor,
            action: entry.action,
            resource_kind: entry.resource_kind,
            resource_id: entry.resource_id,
            outcome: entry.outcome,
            trace_id: said(entry.trace_id),
            detail: serde_json::from_str(&entry.detail).unwrap_or_default(),
            leaf: entry.leaf.map(|leaf| LeafView {
                origin: leaf.origin,
                index: leaf.index,
                tenant_number: leaf.tenant_number,
            }),
        }
    }
}

impl From<wire::Operation> for EvidenceOperationView {
    fn from(operation: wire::Operation) -> Self {
        EvidenceOperationView {
            kind: kind_word(operation.kind()),
            id: operation.operation_id,
            state: operation.state,
            done: operation.done,
            total: operation.total,
            last_error: said(operation.last_error),
        }
    }
}

/// Text that the wire leaves empty where there is none.
fn said(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

type Parts = (web::Data<EvidenceAdmin>, web::Data<Rights>);

/// Gives the proof that a record was erased (GOVERNANCE, or `admin:read`). `mintmark audit verify` checks it offline, with
/// the keys of `/.well-known/evidence-keys.json`. The `ETag` changes when a recovery run or the destruction of a key adds to
/// it; `proof` never does.
#[utoipa::path(
    get, path = "/v1/admin/erasure-proof/{evidenceId}", tag = "administration",
    params(("evidenceId" = String, Path), ("If-None-Match" = Option<String>, Header)),
    responses((status = 200, body = ErasureProofView), (status = 304, description = "Nothing was added"),
        (status = 409, description = "`ERASURE_PENDING`, `EVIDENCE_HELD`, `EVIDENCE_NOT_ERASED`")))]
async fn erasure_proof(
    admin: web::Data<EvidenceAdmin>,
    Caller(who): Caller,
    id: PathOf<EvidenceId>,
    http: HttpRequest,
) -> Answer {
    let view = ErasureProofView::from(admin.erasure_proof(&who, id.0).await?);
    let body = serde_json::to_vec(&view).map_err(Fault::internal)?;
    let etag = format!("\"{}\"", hex(digest(&SHA256, &body).as_ref()));
    let asked = http.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = asked.split(',').any(|one| one.trim() == etag || one.trim() == "*");
    let mut answer = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((ETAG, etag)).insert_header((CACHE_CONTROL, "private, no-cache"));
    if known {
        return Ok(answer.finish());
    }
    Ok(answer.insert_header((CONTENT_TYPE, "application/json")).body(body))
}

/// Lists what the vault did with your tenant's evidence, newest first (GOVERNANCE, or `admin:read`).
#[utoipa::path(
    get, path = "/v1/admin/evidence-audit", tag = "administration", params(EntryParams, PageParams),
    responses((status = 200, body = List<EvidenceEntryView>)))]
async fn entries(
    (admin, rights): Parts,
    Caller(who): Caller,
    query: Later<QueryOf<EntryParams>>,
    page: Later<Page<VaultCursor>>,
) -> Answer {
    let query = query.after(rights.tenant::<action::ReadEvidenceAudit>(&who)).await?;
    let page = page.after(rights.tenant::<action::ReadEvidenceAudit>(&who)).await?;
    let EntryParams { actor, action, resource_kind, resource_id, from, to } = query.into_inner();
    let query = EntryQuery { actor, action, resource_kind, resource_id, from, to };
    let found = admin.entries(&who, query, page.limit, page.cursor.map(|cursor| cursor.0)).await?;
    let next_cursor = said(found.next_page_token).map(|next| Cursor::encode(&VaultCursor(next)));
    let items = found.entries.into_iter().map(EvidenceEntryView::from).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor }))
}

/// Proves that the vault's log holds an entry (GOVERNANCE, or `admin:read`), for `mintmark audit verify`.
#[utoipa::path(
    get, path = "/v1/admin/evidence-audit/{entryId}/proof", tag = "administration",
    params(("entryId" = String, Path)),
    responses((status = 200, body = Object, description = "Entry, salt, leaf, path and checkpoint"),
        (status = 409, description = "`AUDIT_ENTRY_PENDING`: ask again in a second")))]
async fn entry_proof(admin: web::Data<EvidenceAdmin>, Caller(who): Caller, id: PathOf<Uuid>) -> Answer {
    let proof = admin.entry_proof(&who, id.0).await?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(proof))
}

/// Starts work on all of a tenant's evidence: erases what is due, rotates its keys, or computes every expiry anew.
#[utoipa::path(
    post, path = "/api/admin/tenants/{tenantId}/evidence/operations", tag = "admin", request_body = OperationBody,
    params(("tenantId" = String, Path)), responses((status = 202, body = EvidenceOperationView)))]
async fn start(
    admin: web::Data<EvidenceAdmin>,
    Caller(who): Caller,
    tenant: PathOf<TenantId>,
    body: Body<OperationBody>,
) -> Answer {
    let tenant = tenant.into_inner();
    let started = EvidenceOperationView::from(admin.start(&who, tenant.clone(), &body.kind).await?);
    let location = format!("/api/admin/tenants/{tenant}/evidence/operations/{}", started.id);
    Ok(HttpResponse::Accepted().insert_header((LOCATION, location)).json(started))
}

/// Shows how far such work is.
#[utoipa::path(
    get, path = "/api/admin/tenants/{tenantId}/evidence/operations/{operationId}", tag = "admin",
    params(("tenantId" = String, Path), ("operationId" = String, Path)),
    responses((status = 200, body = EvidenceOperationView)))]
async fn operation(
    admin: web::Data<EvidenceAdmin>,
    Caller(who): Caller,
    path: PathOf<(TenantId, JobId)>,
) -> Answer {
    let (tenant, id) = path.into_inner();
    Ok(HttpResponse::Ok().json(EvidenceOperationView::from(admin.operation(&who, tenant, id).await?)))
}

/// The keys that proofs of erasure and certificates of destroyed keys verify with.
#[utoipa::path(
    get, path = "/.well-known/evidence-keys.json", tag = "public",
    responses((status = 200, body = Object, description = "A JSON Web Key Set (RFC 7517)")))]
async fn evidence_keys(keys: web::Data<EvidenceKeys>) -> Answer {
    Ok(public("application/json", keys.current().await?.jwks.clone()))
}

/// The keys that checkpoints of the vault's audit log verify with (C2SP signed-note), one a line.
#[utoipa::path(
    get, path = "/.well-known/audit-keys.txt", tag = "public",
    responses((status = 200, body = String, content_type = "text/plain")))]
async fn audit_keys(keys: web::Data<EvidenceKeys>) -> Answer {
    Ok(public("text/plain; charset=utf-8", keys.current().await?.audit_verifier_keys.clone()))
}

fn public(content_type: &'static str, body: String) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, content_type)).insert_header((CACHE_CONTROL, "public, max-age=300"));
    answer.body(body)
}
