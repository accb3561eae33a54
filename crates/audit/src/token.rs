//! Compact tokens that outlive their makers: manifests of exports (EdDSA), proofs of erasure and certificates of destroyed
//! keys (PS256). The key fixes the algorithm; nothing that a token says of itself is believed before its signature holds.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ED25519, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::flaw::Flaw;

/// A proof with its claims has less than 2 KiB.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Public keys that tokens verify with, by their ids.
#[derive(Clone, Debug, Default)]
pub struct Jwks {
    keys: Vec<(String, Key)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    Ed25519([u8; 32]),
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

/// Why a JWK set is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Not a set.
    #[error("this is not a JWK set: an object with a list of keys")]
    Form,
    /// Not a key that tokens of ours are signed with.
    #[error("key {0} of the JWK set is neither Ed25519 (EdDSA) nor RSA of 2048 to 8192 bits (PS256)")]
    Kind(usize),
    /// A private key has no business here.
    #[error("key {0} of the JWK set holds a private key: give the public one")]
    Private(usize),
    /// One id, or one key, twice.
    #[error("key {0} of the JWK set repeats an id or a key: each may stand there once")]
    Duplicate(usize),
}

impl Jwks {
    /// Reads a JWK set (RFC 7517).
    pub fn parse(json: &str) -> Result<Self, JwksError> {
        let mut set = Jwks::default();
        set.add(json)?;
        Ok(set)
    }

    /// Adds the keys of another set.
    pub fn add(&mut self, json: &str) -> Result<(), JwksError> {
        let value: Value = serde_json::from_str(json).map_err(|_| JwksError::Form)?;
        let keys = value.get("keys").and_then(Value::as_array).ok_or(JwksError::Form)?;
        for (at, jwk) in keys.iter().enumerate() {
            let at = at + 1;
            if jwk.get("d").is_some() {
                return Err(JwksError::Private(at));
            }
            let (kid, key) = read_key(jwk).ok_or(JwksError::Kind(at))?;
            if self.keys.iter().any(|(known, same)| *known == kid || *same == key) {
                return Err(JwksError::Duplicate(at));
            }
            self.keys.push((kid, key));
        }
        Ok(())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

fn read_key(jwk: &Value) -> Option<(String, Key)> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    let alg = text("alg");
    let key = match text("kty")? {
        "OKP" if text("crv") == Some("Ed25519") && alg.is_none_or(|alg| alg == "EdDSA") => {
            Key::Ed25519(bytes("x")?.try_into().ok()?)
        }
        "RSA" if alg.is_none_or(|alg| alg == "PS256") => {
            let n = bytes("n")?;
            (256..=1024).contains(&n.len()).then_some(())?;
            Key::Rsa { n, e: bytes("e")? }
        }
        _ => return None,
    };
    Some((text("kid").filter(|kid| !kid.is_empty())?.to_owned(), key))
}

/// The three parameters that a header of ours has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

/// Checks a compact token of type `typ` and gives its payload; `what` names it in words.
pub(crate) fn open(token: &str, typ: &str, what: &'static str, keys: &Jwks) -> Result<Vec<u8>, Flaw> {
    let refused = |why| Flaw::Token { what, why };
    if token.len() > MAX_TOKEN_BYTES {
        return Err(refused("it is larger than 16 KiB"));
    }
    let form = || refused("it is not a compact JWS");
    let (signed, signature) = token.rsplit_once('.').ok_or_else(form)?;
    let (header, payload) = signed.split_once('.').ok_or_else(form)?;
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| form())?;
    let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| form())?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| form())?;
    let header: Header = serde_json::from_slice(&header)
        .map_err(|_| refused("its header has other parameters than alg, kid and typ"))?;
    if header.typ != typ {
        return Err(refused("its type is another"));
    }
    let (_, key) = keys
        .keys
        .iter()
        .find(|(kid, _)| *kid == header.kid)
        .ok_or_else(|| refused("its key is not in the JWK set (--jwks)"))?;
    let good = match (key, header.alg.as_str()) {
        (Key::Ed25519(key), "EdDSA") => {
            UnparsedPublicKey::new(&ED25519, key).verify(signed.as_bytes(), &signature).is_ok()
        }
        (Key::Rsa { n, e }, "PS256") => RsaPublicKeyComponents { n, e }
            .verify(&RSA_PSS_2048_8192_SHA256, signed.as_bytes(), &signature)
            .is_ok(),
        _ => return Err(refused("its algorithm is not that of its key")),
    };
    if good { Ok(payload) } else { Err(refused("its signature does not hold")) }
}

/// The claims of a token whose signature holds.
pub(crate) fn claims(payload: &[u8], what: &'static str) -> Result<Map<String, Value>, Flaw> {
    serde_json::from_slice(payload).map_err(|_| Flaw::Token { what, why: "its claims are not an object" })
}
