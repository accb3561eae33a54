use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use serde::{Deserialize, Serialize};

/// A public Ed25519 key as JSON (RFC 8037): valid by construction, so that a verifier needs no error path for keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Jwk {
    kid: String,
    x: [u8; 32],
}

/// A set of public keys, as `/.well-known/jwks.json` answers it (RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwks {
    /// The keys that are accepted now, newest first.
    pub keys: Vec<Jwk>,
}

/// Why a JSON object is not a key that we use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Another key type, curve, algorithm or use.
    #[error("a key must have kty OKP, crv Ed25519, alg EdDSA and use sig")]
    Kind,
    /// The key id has a form that we do not accept.
    #[error("a key id (kid) is 1 to 128 characters of A-Z, a-z, 0-9, `.`, `_` and `-`")]
    KeyId,
    /// The public key is not 32 bytes.
    #[error("the public key (x) must be 32 bytes in base64url without padding")]
    PublicKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    kty: String,
    crv: String,
    x: String,
    kid: String,
    alg: String,
    #[serde(rename = "use")]
    purpose: String,
}

impl Jwk {
    /// The key with its RFC 7638 thumbprint as id.
    pub(crate) fn of_public_key(x: [u8; 32]) -> Self {
        let encoded = URL_SAFE_NO_PAD.encode(x);
        // RFC 7638 section 3: the required members in lexicographic order, without white space.
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{encoded}"}}"#);
        let thumbprint = digest::digest(&digest::SHA256, canonical.as_bytes());
        Jwk { kid: URL_SAFE_NO_PAD.encode(thumbprint), x }
    }

    /// Reads the six members that every key of ours has; anything else is refused.
    pub(crate) fn from_members(
        kty: &str,
        crv: &str,
        x: &str,
        kid: String,
        alg: &str,
        purpose: &str,
    ) -> Result<Self, JwkError> {
        if (kty, crv, alg, purpose) != ("OKP", "Ed25519", "EdDSA", "sig") {
            return Err(JwkError::Kind);
        }
        let accepted = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        if kid.is_empty() || kid.len() > 128 || !kid.bytes().all(accepted) {
            return Err(JwkError::KeyId);
        }
        let bytes = URL_SAFE_NO_PAD.decode(x).map_err(|_| JwkError::PublicKey)?;
        let x = bytes.try_into().map_err(|_| JwkError::PublicKey)?;
        Ok(Jwk { kid, x })
    }

    /// The key id that tokens name in their header.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The 32 bytes of the public key.
    pub fn public_key(&self) -> &[u8; 32] {
        &self.x
    }

    /// The public key in base64url, as it stands in `x`.
    pub(crate) fn encoded(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.x)
    }
}

impl TryFrom<Fields> for Jwk {
    type Error = JwkError;

    fn try_from(f: Fields) -> Result<Self, JwkError> {
        Jwk::from_members(&f.kty, &f.crv, &f.x, f.kid, &f.alg, &f.purpose)
    }
}

impl From<Jwk> for Fields {
    fn from(jwk: Jwk) -> Fields {
        Fields {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            x: jwk.encoded(),
            kid: jwk.kid,
            alg: "EdDSA".into(),
            purpose: "sig".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprint_is_that_of_rfc_8037_appendix_a() {
        let x = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let jwk = Jwk::of_public_key(x.try_into().unwrap());
        assert_eq!(jwk.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn jwk_reads_back_and_refuses_private_members() {
        let jwk = Jwk::of_public_key([7; 32]);
        let json = serde_json::to_value(&jwk).unwrap();
        assert_eq!(serde_json::from_value::<Jwk>(json.clone()).unwrap(), jwk);

        let mut private = json.clone();
        private["d"] = "AAAA".into();
        assert!(serde_json::from_value::<Jwk>(private).is_err());
        for (member, value) in
            [("kid", "../../etc/passwd"), ("kid", ""), ("alg", "HS256"), ("x", "AAAA"), ("kty", "oct")]
        {
            let mut bad = json.clone();
            bad[member] = value.into();
            assert!(serde_json::from_value::<Jwk>(bad).is_err(), "{member}={value}");
        }
    }
}
