//! Credentials as attackers make them: a table of named attacks on one rightful credential.
//!
//! The forger signs with ring, with the keys that the services of the stage really trust, and shares no code with what it
//! attacks. Each token of [`against_token`] differs from one that passes in the one thing that its name says; the tests of
//! the matrix prove that the untouched one, taken apart and signed again here, does pass.

mod api_key;
mod carriers;
mod claims;
mod header;
mod shape;
mod signature;

use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

pub use api_key::near_the_api_key;
pub use carriers::{beside_another, carried, control_token_astray, near_the_control_token};

/// How an attack must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 401 `AUTHENTICATION_REQUIRED`, gRPC UNAUTHENTICATED.
    Unauthenticated,
    /// 403 or PERMISSION_DENIED, with the scope that is missing.
    Forbidden,
    /// The request is more than the edge reads: any refusal by the protocol, or no answer at all.
    TooLarge,
}

/// One attack: what is sent, and how it must end.
#[derive(Clone, Debug)]
pub struct Attack {
    pub name: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Put behind the path; empty on most.
    pub query: String,
    pub refusal: Refusal,
}

impl Attack {
    pub fn new(name: impl Into<String>) -> Self {
        Attack {
            name: name.into(),
            headers: Vec::new(),
            query: String::new(),
            refusal: Refusal::Unauthenticated,
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.parse().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap()));
        self
    }

    /// A token in its rightful place.
    pub fn bearer(name: impl Into<String>, token: &str) -> Self {
        Attack::new(name).header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    fn ends(mut self, refusal: Refusal) -> Self {
        self.refusal = refusal;
        self
    }

    /// Whether it brings credentials that differ: twice in one header, or in both that carry one (no attack has the same in both).
    pub fn disagrees(&self) -> bool {
        let of = |name: &str| -> Vec<&HeaderValue> {
            self.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value).collect()
        };
        let (bearers, keys) = (of("authorization"), of("x-api-key"));
        let differ = |values: &[&HeaderValue]| values.windows(2).any(|pair| pair[0] != pair[1]);
        differ(&bearers) || differ(&keys) || (!bearers.is_empty() && !keys.is_empty())
    }

    /// Words of what was sent that may stand in no answer and no log line.
    pub fn secrets(&self) -> Vec<String> {
        let words = |value: &HeaderValue| -> Vec<String> {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let word = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
            text.split(word).filter(|word| word.len() >= 32).map(str::to_owned).collect()
        };
        self.headers.iter().flat_map(|(_, value)| words(value)).collect()
    }
}

/// A private key with nothing held back.
pub struct Signer {
    pair: Ed25519KeyPair,
    pub kid: String,
}

impl Signer {
    pub fn from_pem(pem: &str) -> Self {
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&STANDARD.decode(body).unwrap()).unwrap();
        let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(pair.public_key()));
        Signer { kid: encode(digest(&SHA256, jwk.as_bytes())), pair }
    }

    pub fn generate() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
        Signer::from_pem(&STANDARD.encode(pkcs8))
    }

    pub fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    pub fn jwk(&self) -> Value {
        json!({
            "kty": "OKP", "crv": "Ed25519", "x": encode(self.public()), "kid": self.kid, "alg": "EdDSA", "use": "sig",
        })
    }

    fn signature(&self, signed: &str) -> Vec<u8> {
        self.pair.sign(signed.as_bytes()).as_ref().to_vec()
    }
}

/// A rightful token, taken apart, and the key that signs it.
#[derive(Clone)]
pub struct Rightful {
    pub header: Value,
    pub claims: Value,
    pub signer: Rc<Signer>,
}

impl Rightful {
    /// Takes apart a token that the platform itself made.
    pub fn of(token: &str, signer: &Rc<Signer>) -> Self {
        let mut parts = token
            .split('.')
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap_or_default()));
        let (header, claims) = (parts.next().unwrap().unwrap(), parts.next().unwrap().unwrap());
        Rightful { header, claims, signer: Rc::clone(signer) }
    }

    /// Signed again: it must pass, or the attacks prove nothing.
    pub fn token(&self) -> String {
        self.signed(&self.header.to_string(), &self.claims.to_string())
    }

    /// Signs texts that need not be JSON, or not what a JSON library would write.
    pub fn signed(&self, header: &str, claims: &str) -> String {
        self.sealed(&format!("{}.{}", encode(header), encode(claims)))
    }

    /// Appends the signature to what is to be signed.
    pub fn sealed(&self, signed: &str) -> String {
        format!("{signed}.{}", encode(self.signer.signature(signed)))
    }

    pub fn with_header(&self, member: &str, value: Value) -> String {
        self.signed(&with(&self.header, member, value).to_string(), &self.claims.to_string())
    }

    pub fn with_claim(&self, member: &str, value: Value) -> String {
        self.signed(&self.header.to_string(), &with(&self.claims, member, value).to_string())
    }

    /// With several claims replaced.
    pub fn with_claims(&self, members: &[(&str, Value)]) -> String {
        let claims =
            members.iter().fold(self.claims.clone(), |claims, (name, v)| with(&claims, name, v.clone()));
        self.signed(&self.header.to_string(), &claims.to_string())
    }

    pub fn is_session(&self) -> bool {
        self.header["typ"] == "session+jwt"
    }
}

/// What else an attacker may have in hand.
pub struct Loot {
    /// A key of the attacker's own, that nobody trusts.
    pub stranger: Signer,
    /// The key of another party of the platform.
    pub other: Signer,
    /// The tenant that the attacker wants to be.
    pub other_tenant: String,
    /// A person of that tenant.
    pub other_user: String,
    /// Rightful tokens of other kinds, by what they are.
    pub other_kinds: Vec<(&'static str, String)>,
}

/// Every attack on a token: each is one bearer.
pub fn against_token(rightful: &Rightful, loot: &Loot) -> Vec<Attack> {
    let mut tokens = header::attacks(rightful, loot);
    tokens.extend(signature::attacks(rightful, loot));
    tokens.extend(claims::attacks(rightful, loot));
    tokens.extend(shape::attacks(rightful));
    let kinds = loot.other_kinds.iter().map(|(kind, token)| (format!("another kind: {kind}"), token.clone()));
    tokens.extend(kinds);
    let mut attacks: Vec<Attack> =
        tokens.iter().map(|(name, token)| Attack::bearer(name.as_str(), token)).collect();
    attacks.extend(shape::oversize(rightful));
    attacks.extend(claims::of_scope(rightful));
    attacks
}

/// Seconds since the epoch.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// `object` with one member replaced, or removed when the value is [`absent`].
fn with(object: &Value, member: &str, value: Value) -> Value {
    let mut object = object.clone();
    if value == absent() {
        object.as_object_mut().unwrap().remove(member);
    } else {
        object[member] = value;
    }
    object
}

fn absent() -> Value {
    json!({"this member": "is absent"})
}

/// The object's text with one member more in front, which may stand in it already.
fn in_front(object: &Value, member: &str) -> String {
    format!("{{{member},{}", &object.to_string()[1..])
}

/// The object's text with one member more at the end.
fn at_the_end(object: &Value, member: &str) -> String {
    let text = object.to_string();
    format!("{},{member}}}", &text[..text.len() - 1])
}
