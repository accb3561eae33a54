//! The envelope: compact serialisation, a header of exactly three parameters, an Ed25519 signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

use crate::claims::StrictObject;
use crate::control::looks_like_control_token;
use crate::{Jwk, SigningKey, TokenError, provider};

/// Our longest token has about 700 bytes; more than this is not one.
const MAX_TOKEN_BYTES: usize = 4096;

/// The only algorithm that keys of ours have (RFC 8037).
const ALGORITHM: &str = "EdDSA";

/// `typ` of tokens between services.
pub(crate) const TYPE_SERVICE: &str = "JWT";
/// `typ` of sessions: explicit typing keeps one kind of token from passing for another (RFC 8725, section 3.11).
pub(crate) const TYPE_SESSION: &str = "session+jwt";
/// `typ` of the manifest of an exported audit log, which opens nothing.
pub(crate) const TYPE_AUDIT_EXPORT: &str = "audit-export+jwt";

/// A key that signatures are checked against, parsed once.
pub(crate) struct VerifyingKey {
    kid: String,
    key: DecodingKey,
}

impl VerifyingKey {
    pub(crate) fn new(jwk: &Jwk) -> Self {
        VerifyingKey { kid: jwk.kid().to_owned(), key: DecodingKey::from_ed_der(jwk.public_key()) }
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }
}

/// A token whose shape and header are in order, and nothing more: its claims are out of reach until the signature holds.
pub(crate) struct Envelope<'t> {
    kid: String,
    signed: &'t str,
    payload: &'t str,
    signature: &'t str,
}

impl<'t> Envelope<'t> {
    /// Splits a bearer and judges its header; `typ` must be the one given.
    pub(crate) fn open(token: &'t str, typ: &str) -> Result<Self, TokenError> {
        if looks_like_control_token(token) {
            return Err(TokenError::ControlToken);
        }
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Oversize);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| TokenError::Malformed)?;
        let header = StrictObject::parse(&header).ok_or_else(|| {
            // What only the strict reader refuses has the shape of a token.
            let object = serde_json::from_slice::<Value>(&header).is_ok_and(|header| header.is_object());
            if object { TokenError::Header } else { TokenError::Malformed }
        })?;
        let kid = judge_header(header, typ)?;
        Ok(Envelope { kid, signed, payload, signature })
    }

    /// The key that the token claims to be signed with.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// Checks the signature with the key's algorithm, then gives the claims.
    pub(crate) fn verify(self, key: &VerifyingKey) -> Result<Map<String, Value>, TokenError> {
        provider::install();
        let message = self.signed.as_bytes();
        match jsonwebtoken::crypto::verify(self.signature, message, &key.key, Algorithm::EdDSA) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(TokenError::Signature),
        }
        let payload = URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| TokenError::Malformed)?;
        StrictObject::parse(&payload).ok_or(TokenError::Claims)
    }
}

fn judge_header(mut header: Map<String, Value>, typ: &str) -> Result<String, TokenError> {
    if header.remove("alg") != Some(Value::from(ALGORITHM)) {
        return Err(TokenError::Algorithm);
    }
    let kid = header.remove("kid");
    if header.remove("typ") != Some(Value::from(typ)) || !header.is_empty() {
        return Err(TokenError::Header);
    }
    match kid {
        Some(Value::String(kid)) => Ok(kid),
        _ => Err(TokenError::UnknownKey),
    }
}

/// Signs claims into a compact token.
pub(crate) fn sign(key: &SigningKey, typ: &str, claims: &Value) -> String {
    let header = serde_json::json!({"alg": ALGORITHM, "kid": key.kid(), "typ": typ});
    let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut token);
    let signature = key.sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}
