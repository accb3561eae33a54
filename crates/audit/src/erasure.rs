//! Proofs of erasure and certificates of destroyed keys, read offline with the vault's public keys.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::flaw::Flaw;
use crate::hex::Hex;
use crate::token::{self, Jwks};
use crate::tree::sha256;

/// `typ` of a proof of erasure.
pub const PROOF_TYPE: &str = "erasure-proof+jwt";

/// `typ` of a certificate of a destroyed key.
pub const CERTIFICATE_TYPE: &str = "key-destruction+jwt";

const PROOF: &str = "proof of erasure";
const CERTIFICATE: &str = "certificate of a destroyed key";

/// What a proof of erasure says; its signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Which record.
    pub evidence_id: String,
    /// Whose.
    pub tenant_id: String,
    /// In whose name.
    pub actor_id: String,
    /// When its erasure began.
    pub erased_at: DateTime<Utc>,
    /// One for each proof.
    pub nonce: Uuid,
    /// SHA-256 of the token, by which an audit entry names it.
    pub sha256: String,
}

/// What a certificate says; its signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Which key.
    pub kek_id: String,
    /// Whose.
    pub tenant_id: String,
    /// When it was destroyed.
    pub destroyed_at: DateTime<Utc>,
}

/// What `GET /v1/admin/erasure-proof/{id}` answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Which record.
    pub evidence_id: String,
    /// Made when it was erased.
    pub proof: String,
    /// Added by recovery runs.
    #[serde(default)]
    pub recovery_proofs: Vec<String>,
    /// Of the keys that could have opened it.
    #[serde(default)]
    pub key_certificates: Vec<String>,
}

/// Checks a proof of erasure.
pub fn proof(token: &str, keys: &Jwks) -> Result<Erasure, Flaw> {
    let payload = token::open(token, PROOF_TYPE, PROOF, keys)?;
    let claims = Claims { what: PROOF, claims: token::claims(&payload, PROOF)? };
    Ok(Erasure {
        evidence_id: claims.text("evidence_id")?,
        tenant_id: claims.text("tenant_id")?,
        actor_id: claims.text("actor_id")?,
        erased_at: claims.time("erased_at")?,
        nonce: claims
            .text("nonce")?
            .parse()
            .map_err(|_| Flaw::Token { what: PROOF, why: "its nonce is not a UUID" })?,
        sha256: Hex(sha256(&[token.as_bytes()])).to_string(),
    })
}

/// Checks a certificate of a destroyed key.
pub fn certificate(token: &str, keys: &Jwks) -> Result<Certificate, Flaw> {
    let payload = token::open(token, CERTIFICATE_TYPE, CERTIFICATE, keys)?;
    let claims = Claims { what: CERTIFICATE, claims: token::claims(&payload, CERTIFICATE)? };
    Ok(Certificate {
        kek_id: claims.text("kek_id")?,
        tenant_id: claims.text("tenant_id")?,
        destroyed_at: claims.time("destroyed_at")?,
    })
}

/// Checks everything that an answer holds, and that all of it speaks of one record and one tenant.
pub fn answer(answer: &Answer, keys: &Jwks) -> Result<(Vec<Erasure>, Vec<Certificate>), Flaw> {
    let tokens = std::iter::once(&answer.proof).chain(&answer.recovery_proofs);
    let proofs: Vec<Erasure> = tokens.map(|token| proof(token, keys)).collect::<Result<_, _>>()?;
    let certificates: Vec<Certificate> =
        answer.key_certificates.iter().map(|token| certificate(token, keys)).collect::<Result<_, _>>()?;
    let refused = |why| Flaw::Token { what: PROOF, why };
    let tenant = proofs.first().map(|first| &first.tenant_id);
    for (at, proof) in proofs.iter().enumerate() {
        if proof.evidence_id != answer.evidence_id {
            return Err(refused("it is of another record"));
        }
        if Some(&proof.tenant_id) != tenant {
            return Err(refused("it is of another tenant"));
        }
        if proofs.iter().take(at).any(|other| other.nonce == proof.nonce) {
            return Err(refused("its nonce is that of another proof"));
        }
    }
    if certificates.iter().any(|certificate| Some(&certificate.tenant_id) != tenant) {
        return Err(Flaw::Token { what: CERTIFICATE, why: "it is of another tenant" });
    }
    Ok((proofs, certificates))
}

/// Claims of a token of one kind.
struct Claims {
    what: &'static str,
    claims: Map<String, Value>,
}

impl Claims {
    fn text(&self, name: &'static str) -> Result<String, Flaw> {
        let text = self.claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or(Flaw::Token { what: self.what, why: missing(name) })
    }

    fn time(&self, name: &'static str) -> Result<DateTime<Utc>, Flaw> {
        let time = DateTime::parse_from_rfc3339(&self.text(name)?);
        time.map(|time| time.to_utc()).map_err(|_| Flaw::Token { what: self.what, why: missing(name) })
    }
}

fn missing(name: &str) -> &'static str {
    match name {
        "evidence_id" => "it names no record (evidence_id)",
        "tenant_id" => "it names no tenant (tenant_id)",
        "actor_id" => "it names no actor (actor_id)",
        "erased_at" => "it says no time of erasure (erased_at, RFC 3339)",
        "nonce" => "it has no nonce",
        "kek_id" => "it names no key (kek_id)",
        _ => "it says no time of destruction (destroyed_at, RFC 3339)",
    }
}
