use std::collections::HashSet;

use mintmark_ids::ServiceName;
use serde::{Deserialize, Serialize};

use crate::trusted_envoy::refuse_twins;
use crate::{Jwk, JwkError, TrustedEnvoy};

/// Whose tokens a verifier accepts, and what each key may say: a JWKS with, per key, its service and its grants.
///
/// ```json
/// {"issuer": "https://auth.printprice.pro",
///  "keys": [{"kty": "OKP", "crv": "Ed25519", "x": "…", "kid": "…", "alg": "EdDSA", "use": "sig",
///            "service": "control-plane",
///            "grants": [{"aud": "ppos:resolver", "scopes": ["directory:publish", "directory:read"]}]}]}
/// ```
///
/// During a rotation a service has two keys in it. A key without grants can sign nothing that is accepted. A member `envoys`,
/// which may be absent, names Envoys by their client certificates ([`TrustedEnvoy`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustBundle {
    issuer: String,
    keys: Vec<TrustedKey>,
    envoys: Vec<TrustedEnvoy>,
}

/// A public key, the service that holds its private half, and what that service may mint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "KeyFields", into = "KeyFields")]
pub struct TrustedKey {
    /// The public key.
    pub jwk: Jwk,
    /// The service that signs with it.
    pub service: ServiceName,
    /// The audiences and scopes that this service may put into a token.
    pub grants: Vec<Grant>,
}

/// Scopes that a key may say to one audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The audience, e.g. `ppos:resolver`.
    pub aud: String,
    /// The scopes, each as it stands in `scp`.
    pub scopes: Vec<String>,
}

/// Why a trust bundle is refused. It names the member at fault and contains no key.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file cannot be read.
    #[error("the trust bundle cannot be read; check TRUST_BUNDLE_FILE and the file's permissions")]
    Unreadable(#[source] std::io::Error),
    /// The text is not a bundle.
    #[error("the trust bundle is not the JSON that ARCHITECTURE.md describes")]
    Json(#[source] serde_json::Error),
    /// Nothing could ever be verified with it.
    #[error("the trust bundle has no issuer or no keys")]
    Empty,
    /// Two entries with one key id: which of them counts would be an accident.
    #[error("the trust bundle has two keys with the id {0}")]
    DuplicateKey(String),
    /// Two entries for one certificate.
    #[error("the trust bundle names an Envoy twice, {0}: write its domains into one entry")]
    DuplicateEnvoy(String),
}

impl TrustBundle {
    /// A bundle of `keys` for tokens of `issuer`.
    pub fn new(issuer: impl Into<String>, keys: Vec<TrustedKey>) -> Result<Self, BundleError> {
        let bundle = TrustBundle { issuer: issuer.into(), keys, envoys: Vec::new() };
        if bundle.issuer.is_empty() || bundle.keys.is_empty() {
            return Err(BundleError::Empty);
        }
        let mut seen = HashSet::new();
        match bundle.keys.iter().map(|key| key.jwk.kid()).find(|kid| !seen.insert(*kid)) {
            Some(kid) => Err(BundleError::DuplicateKey(kid.to_owned())),
            None => Ok(bundle),
        }
    }

    /// Reads a bundle; unknown members are refused, so that a misspelt grant is not a silent denial.
    pub fn parse(json: &str) -> Result<Self, BundleError> {
        let file: BundleFields = serde_json::from_str(json).map_err(BundleError::Json)?;
        TrustBundle::new(file.issuer, file.keys)?.with_envoys(file.envoys)
    }

    /// The same bundle with these Envoys.
    pub fn with_envoys(mut self, envoys: Vec<TrustedEnvoy>) -> Result<Self, BundleError> {
        refuse_twins(&envoys)?;
        self.envoys = envoys;
        Ok(self)
    }

    /// The bundle as [`TrustBundle::parse`] reads it.
    pub fn to_json(&self) -> String {
        let Self { issuer, keys, envoys } = self.clone();
        let fields = BundleFields { issuer, keys, envoys };
        let value = serde_json::to_value(fields).unwrap_or_default();
        format!("{value:#}\n")
    }

    /// The only issuer whose tokens are accepted.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The keys, in the order of the file.
    pub fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }

    /// The Envoys that it names by their certificates.
    pub fn envoys(&self) -> &[TrustedEnvoy] {
        &self.envoys
    }
}

impl TrustedKey {
    /// Whether the key's service may say all of `scopes` to `audience`.
    pub(crate) fn may_say(&self, audience: &str, scopes: &[String]) -> bool {
        let granted = |scope: &String| {
            self.grants.iter().any(|grant| grant.aud == audience && grant.scopes.contains(scope))
        };
        !scopes.is_empty() && scopes.iter().all(granted)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BundleFields {
    issuer: String,
    keys: Vec<TrustedKey>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    envoys: Vec<TrustedEnvoy>,
}

/// The flat form of the file; serde's `flatten` would not refuse unknown members.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFields {
    kty: String,
    crv: String,
    x: String,
    kid: String,
    alg: String,
    #[serde(rename = "use")]
    purpose: String,
    service: ServiceName,
    grants: Vec<Grant>,
}

impl TryFrom<KeyFields> for TrustedKey {
    type Error = JwkError;

    fn try_from(f: KeyFields) -> Result<Self, JwkError> {
        let jwk = Jwk::from_members(&f.kty, &f.crv, &f.x, f.kid, &f.alg, &f.purpose)?;
        Ok(TrustedKey { jwk, service: f.service, grants: f.grants })
    }
}

impl From<TrustedKey> for KeyFields {
    fn from(key: TrustedKey) -> KeyFields {
        KeyFields {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            x: key.jwk.encoded(),
            kid: key.jwk.kid().to_owned(),
            alg: "EdDSA".into(),
            purpose: "sig".into(),
            service: key.service,
            grants: key.grants,
        }
    }
}
