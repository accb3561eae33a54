//! What is signed about an erasure: the proof of a record's, the certificate of a key's destruction, the keys that verify both.
//!
//! Compact JWTs with a header of exactly `alg` (PS256), `kid` and `typ`. They are records and never expire. A proof that is
//! made is stored and served as it is for ever: PSS is randomised, so the same claims never sign to the same bytes again.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use mintmark_fault::{Fault, Result};
use mintmark_ids::{EvidenceId, KekId, TenantId};
use mintmark_service::StartError;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::provider::{Assurance, KeyProvider};

/// `typ` of a proof.
pub const PROOF_TYPE: &str = "erasure-proof+jwt";
/// `typ` of a certificate.
pub const CERTIFICATE_TYPE: &str = "key-destruction+jwt";
/// `iss` of both.
pub const ISSUER: &str = "service:evidence-vault";

/// What the proof of a record's erasure says.
#[derive(Clone, Debug)]
pub struct ErasureClaims {
    /// Whose record.
    pub tenant: TenantId,
    /// Which record.
    pub record: EvidenceId,
    /// When its erasure began: from then on nobody could open it.
    pub erased_at: DateTime<Utc>,
    /// Chosen at random for this proof alone.
    pub nonce: Uuid,
    /// Who erased it.
    pub actor: String,
    /// Whether it was made by a run that met a record that was shredded before.
    pub recovery: bool,
    /// Of the ciphertext that was deleted, so that a copy that turns up can be recognised.
    pub ciphertext_sha256: Option<[u8; 32]>,
}

/// What the certificate of a key's destruction says.
#[derive(Clone, Debug)]
pub struct DestructionClaims {
    /// Whose key.
    pub tenant: TenantId,
    /// Which key.
    pub kek: KekId,
    /// `period` or `hold`.
    pub purpose: &'static str,
    /// The first day of its period, and the day after its last.
    pub period: Option<(NaiveDate, NaiveDate)>,
    /// The record that it was made for.
    pub record: Option<EvidenceId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was destroyed.
    pub destroyed_at: DateTime<Utc>,
    /// Chosen at random for this certificate alone.
    pub nonce: Uuid,
    /// Who destroyed it.
    pub actor: String,
}

/// Signs proofs, in the order of the claims, as one batch.
///
/// # Errors
/// 503 `KEYS_UNAVAILABLE`.
pub async fn erasure_proofs(provider: &dyn KeyProvider, claims: &[ErasureClaims]) -> Result<Vec<String>> {
    let claims = claims.iter().map(|claims| proof_claims(claims, provider.assurance())).collect();
    sign(provider, PROOF_TYPE, claims).await
}

/// Signs the certificate of a key's destruction.
///
/// # Errors
/// 503 `KEYS_UNAVAILABLE`.
pub async fn key_certificate(provider: &dyn KeyProvider, claims: &DestructionClaims) -> Result<String> {
    let claims = certificate_claims(claims, provider);
    let signed = sign(provider, CERTIFICATE_TYPE, vec![claims]).await?;
    signed.into_iter().next().ok_or_else(|| Fault::internal("a provider gave no signature"))
}

/// Every key that proofs and certificates verify with, as a JWKS: the present one first, then those of the file.
///
/// # Errors
/// When the file is not a JWKS of public RSA keys.
pub fn jwks(provider: &dyn KeyProvider, retired: Option<&Path>) -> std::result::Result<Value, StartError> {
    let present = provider.verifying_key();
    let mut keys = vec![present];
    if let Some(path) = retired {
        let refused = |what: &str| {
            let sentence = format!("EVIDENCE_RETIRED_PROOF_KEYS_FILE: {} {what}", path.display());
            StartError::new(sentence)
        };
        let text =
            std::fs::read_to_string(path).map_err(|error| refused("cannot be read").caused_by(error))?;
        let form = "is not a JWKS of public RSA keys: it has \"keys\", each with kty, kid, n and e";
        let parsed: Value = serde_json::from_str(&text).map_err(|error| refused(form).caused_by(error))?;
        for key in parsed["keys"].as_array().ok_or_else(|| refused(form))? {
            let key = public_key(key).ok_or_else(|| refused(form))?;
            // The present key may stand in the file already, and one key has one entry.
            if keys.iter().all(|known| known["kid"] != key["kid"]) {
                keys.push(key);
            }
        }
    }
    Ok(json!({ "keys": keys }))
}

/// The public members alone: a private key that somebody put there is refused rather than published.
fn public_key(key: &Value) -> Option<Value> {
    let text = |name: &str| key[name].as_str().filter(|text| !text.is_empty());
    let private = ["d", "p", "q", "dp", "dq", "qi", "k"].iter().any(|name| !key[*name].is_null());
    if private || text("kty")? != "RSA" {
        return None;
    }
    let (kid, n, e) = (text("kid")?, text("n")?, text("e")?);
    Some(json!({"kty": "RSA", "use": "sig", "alg": "PS256", "kid": kid, "n": n, "e": e}))
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The members of the specification, and what makes them checkable.
///
/// While its key-encryption key lives, a record's erasure is logical under any provider: the certificate of that key's
/// destruction is what raises it.
fn proof_claims(claims: &ErasureClaims, reaches: Assurance) -> Map<String, Value> {
    let mut members = members(json!({
        "evidence_id": claims.record,
        "erased_at": time(claims.erased_at),
        "nonce": claims.nonce,
        "tenant_id": claims.tenant,
        "actor_id": claims.actor,
        "iss": ISSUER,
        "iat": Utc::now().timestamp(),
        "jti": claims.nonce,
        "kind": if claims.recovery { "recovery" } else { "erasure" },
        "assurance": Assurance::Logical.as_str(),
        "assurance_at_key_destruction": reaches.as_str(),
    }));
    if let Some(digest) = claims.ciphertext_sha256 {
        members.insert("ciphertext_sha256".to_owned(), hex(&digest).into());
    }
    members
}

fn certificate_claims(claims: &DestructionClaims, provider: &dyn KeyProvider) -> Map<String, Value> {
    let mut members = members(json!({
        "kek_id": claims.kek,
        "tenant_id": claims.tenant,
        "purpose": claims.purpose,
        "created_at": time(claims.created_at),
        "destroyed_at": time(claims.destroyed_at),
        "nonce": claims.nonce,
        "actor_id": claims.actor,
        "iss": ISSUER,
        "iat": Utc::now().timestamp(),
        "jti": claims.nonce,
        "provider": provider.name(),
        "assurance": provider.assurance().as_str(),
    }));
    if let Some((start, end)) = claims.period {
        members.insert("period_start".to_owned(), start.to_string().into());
        members.insert("period_end".to_owned(), end.to_string().into());
    }
    if let Some(record) = claims.record {
        members.insert("evidence_id".to_owned(), json!(record));
    }
    members
}

fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn sign(provider: &dyn KeyProvider, typ: &str, claims: Vec<Map<String, Value>>) -> Result<Vec<String>> {
    let header = json!({"alg": "PS256", "kid": provider.verifying_key()["kid"], "typ": typ}).to_string();
    let header = URL_SAFE_NO_PAD.encode(header);
    let inputs: Vec<Vec<u8>> = claims
        .into_iter()
        .map(|claims| {
            format!("{header}.{}", URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string())).into_bytes()
        })
        .collect();
    let signatures = provider.sign(&inputs).await?;
    if signatures.len() != inputs.len() {
        return Err(Fault::internal("a provider gave another number of signatures"));
    }
    let jwts = inputs.into_iter().zip(signatures).map(|(input, signature)| {
        let mut jwt = String::from_utf8(input).map_err(Fault::internal)?;
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut jwt);
        Ok(jwt)
    });
    jwts.collect()
}
