use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{Jwk, jws, provider};

/// An Ed25519 private key that signs tokens: parsed once, neither printed nor cloned.
///
/// ```compile_fail
/// fn leak(key: &mintmark_auth::SigningKey) -> String { format!("{key:?}") }
/// ```
pub struct SigningKey {
    pair: Ed25519KeyPair,
    jwk: Jwk,
}

/// Why a file is not a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 private key in PEM (PKCS#8); make one with `openssl genpkey -algorithm ed25519`")]
pub struct KeyError;

impl SigningKey {
    /// Reads a PKCS#8 key, version 1 or 2, from PEM. Its id is the RFC 7638 thumbprint of its public half.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = jsonwebtoken::EncodingKey::from_ed_pem(pem.as_bytes()).map_err(|_| KeyError)?;
        let pair = provider::ed25519_pair(key.as_bytes()).map_err(|_| KeyError)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError)?;
        Ok(SigningKey { pair, jwk: Jwk::of_public_key(public) })
    }

    /// Makes a new key, as PEM (PKCS#8 version 2), for a file that only its service may read.
    #[expect(clippy::expect_used, reason = "the kernel's random source does not fail on a running system")]
    pub fn generate_pem() -> Zeroizing<String> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("randomness");
        let body = Zeroizing::new(STANDARD.encode(pkcs8.as_ref()));
        let mut pem = Zeroizing::new(String::with_capacity(192));
        pem.push_str("-----BEGIN PRIVATE KEY-----\n");
        // RFC 7468: lines of 64 characters.
        let mut rest = body.as_str();
        while !rest.is_empty() {
            let (line, tail) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = tail;
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        pem
    }

    /// The id that tokens of this key carry.
    pub fn kid(&self) -> &str {
        self.jwk.kid()
    }

    /// The public half, for a JWKS or a trust bundle.
    pub fn public_jwk(&self) -> Jwk {
        self.jwk.clone()
    }

    /// Signs the manifest of an exported audit log. Its type keeps it from passing for any token that opens something.
    pub fn sign_audit_export(&self, manifest: &Value) -> String {
        jws::sign(self, jws::TYPE_AUDIT_EXPORT, manifest)
    }

    /// Signs with the parsed key: twice as fast as through `jsonwebtoken`, which parses it for each token.
    pub(crate) fn sign(&self, message: &[u8]) -> impl AsRef<[u8]> + use<> {
        self.pair.sign(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_reads_pkcs8_version_1() {
        // The published example of RFC 8410, section 10.3, in the version that OpenSSL writes.
        let body = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
        let label = "PRIVATE KEY";
        let pem = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
        let key = SigningKey::from_pem(&pem).unwrap();
        assert_eq!(
            STANDARD.encode(key.public_jwk().public_key()),
            "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
        );
    }

    #[test]
    fn key_generated_reads_back_with_a_stable_id() {
        let pem = SigningKey::generate_pem();
        let key = SigningKey::from_pem(&pem).unwrap();
        assert_eq!(key.kid(), SigningKey::from_pem(&pem).unwrap().kid());
        assert_ne!(key.kid(), SigningKey::from_pem(&SigningKey::generate_pem()).unwrap().kid());
        assert!(pem.lines().all(|line| line.len() <= 64));
    }

    #[test]
    fn audit_export_manifest_has_a_type_of_its_own() {
        let key = SigningKey::from_pem(&SigningKey::generate_pem()).unwrap();
        let token = key.sign_audit_export(&serde_json::json!({ "lines": 1 }));
        for typ in [jws::TYPE_SERVICE, jws::TYPE_SESSION] {
            assert!(jws::Envelope::open(&token, typ).is_err());
        }
        let verifying = jws::VerifyingKey::new(&key.public_jwk());
        let envelope = jws::Envelope::open(&token, jws::TYPE_AUDIT_EXPORT).ok().unwrap();
        assert_eq!(envelope.verify(&verifying).ok().unwrap()["lines"], 1);
    }

    #[test]
    fn key_refuses_what_is_not_an_ed25519_private_key() {
        let truncated = SigningKey::generate_pem().replace("MFE", "MFA");
        for text in
            ["", "mmct_", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", &truncated]
        {
            assert!(SigningKey::from_pem(text).is_err());
        }
    }
}
