//! A signer that signs anything: independent of the code under test, so that a shared mistake cannot hide.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mintmark_auth::{Grant, SigningKey, TrustBundle, TrustedKey, audience, scope};
use mintmark_ids::ServiceName;
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};

pub const ISSUER: &str = "https://auth.example";
pub const TENANT: &str = "acme-spirits";

pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// An attacker's or a rightful signer's key, with nothing held back.
pub struct Forge {
    pem: String,
    pair: Ed25519KeyPair,
    pub kid: String,
}

impl Forge {
    pub fn new() -> Self {
        let pem = SigningKey::generate_pem().to_string();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&STANDARD.decode(body).unwrap()).unwrap();
        let kid = SigningKey::from_pem(&pem).unwrap().kid().to_owned();
        Forge { pem, pair, kid }
    }

    pub fn key(&self) -> SigningKey {
        SigningKey::from_pem(&self.pem).unwrap()
    }

    pub fn pem(&self) -> String {
        self.pem.clone()
    }

    pub fn header(&self) -> Value {
        json!({"alg": "EdDSA", "typ": "JWT", "kid": self.kid})
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// Signs texts that need not be JSON, or not what a JSON library would write.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    pub fn trusted(&self, service: ServiceName, grants: &[(&str, &[&str])]) -> TrustedKey {
        let grants = grants
            .iter()
            .map(|(aud, scopes)| Grant {
                aud: (*aud).to_owned(),
                scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            })
            .collect();
        TrustedKey { jwk: self.key().public_jwk(), service, grants }
    }

    /// The control plane's key as the launcher would trust it.
    pub fn bundle(&self) -> TrustBundle {
        let directory: &[&str] = &[scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ];
        let grants: &[(&str, &[&str])] =
            &[(audience::RESOLVER, directory), (audience::PREFLIGHT, &scope::PREFLIGHT)];
        TrustBundle::new(ISSUER, vec![self.trusted(ServiceName::ControlPlane, grants)]).unwrap()
    }
}

/// The claims of a good token for the resolver.
pub fn claims() -> Value {
    let now = now();
    json!({
        "iss": ISSUER, "aud": "ppos:resolver", "sub": "service:control-plane", "tenantId": TENANT,
        "scp": ["directory:publish"], "iat": now, "nbf": now, "exp": now + 60, "jti": "t-1",
    })
}

/// `object` with one member replaced, or removed when `value` is the marker [`absent`].
pub fn with(mut object: Value, member: &str, value: Value) -> Value {
    if value == absent() {
        object.as_object_mut().unwrap().remove(member);
    } else {
        object[member] = value;
    }
    object
}

pub fn absent() -> Value {
    json!({"absent": true})
}
