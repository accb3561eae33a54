//! What `jsonwebtoken` calls for its cryptography: ring, for the algorithms that the platform uses and no other.
//!
//! Another algorithm is one more arm in [`signer`] and [`verifier`].

use std::sync::OnceLock;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::jwk::{EllipticCurve, ThumbprintHash};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use ring::digest;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// Installs the provider once; every path that reaches `jsonwebtoken` begins here, so that no caller can forget it.
pub(crate) fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        // An error means that the process installed another provider before: that one verifies Ed25519 as well as ours.
        let _ = PROVIDER.install_default();
    });
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(unsupported()),
        rsa_pub_components_from_public_key: |_| Err(unsupported()),
        ec_pub_components_from_private_key: |_, _| Err(unsupported()),
        ed_pub_components_from_private_key: ed25519_public,
        compute_digest: hash,
    },
};

fn unsupported() -> Error {
    ErrorKind::InvalidAlgorithm.into()
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    match algorithm {
        Algorithm::EdDSA if key.family() == AlgorithmFamily::Ed => {
            Ok(Box::new(Ed25519Signer(ed25519_pair(key.as_bytes())?)))
        }
        _ => Err(unsupported()),
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    match algorithm {
        Algorithm::EdDSA if key.family() == AlgorithmFamily::Ed => {
            Ok(Box::new(Ed25519Verifier(key.try_get_as_bytes()?.to_vec())))
        }
        _ => Err(unsupported()),
    }
}

/// Reads PKCS#8 version 1 (what OpenSSL writes) and version 2 (what ring writes).
pub(crate) fn ed25519_pair(pkcs8: &[u8]) -> Result<Ed25519KeyPair, Error> {
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|_| ErrorKind::InvalidEddsaKey.into())
}

fn ed25519_public(pkcs8: &[u8], curve: &EllipticCurve) -> Result<Vec<u8>, Error> {
    match curve {
        EllipticCurve::Ed25519 => Ok(ed25519_pair(pkcs8)?.public_key().as_ref().to_vec()),
        _ => Err(unsupported()),
    }
}

fn hash(data: &[u8], function: ThumbprintHash) -> Result<Vec<u8>, Error> {
    let algorithm = match function {
        ThumbprintHash::SHA256 => &digest::SHA256,
        ThumbprintHash::SHA384 => &digest::SHA384,
        ThumbprintHash::SHA512 => &digest::SHA512,
        _ => return Err(unsupported()),
    };
    Ok(digest::digest(algorithm, data).as_ref().to_vec())
}

struct Ed25519Signer(Ed25519KeyPair);

impl Signer<Vec<u8>> for Ed25519Signer {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for Ed25519Signer {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct Ed25519Verifier(Vec<u8>);

impl Verifier<Vec<u8>> for Ed25519Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message, signature)
            .map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for Ed25519Verifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn provider_signs_and_verifies_through_jsonwebtoken() {
        install();
        install();
        let pem = crate::SigningKey::generate_pem();
        let key = EncodingKey::from_ed_pem(pem.as_bytes()).unwrap();
        let header = jsonwebtoken::Header::new(Algorithm::EdDSA);
        let claims = json!({"exp": jsonwebtoken::get_current_timestamp() + 60, "sub": "x"});
        let token = jsonwebtoken::encode(&header, &claims, &key).unwrap();

        let public = ed25519_public(key.as_bytes(), &EllipticCurve::Ed25519).unwrap();
        let key = DecodingKey::from_ed_der(&public);
        let validation = jsonwebtoken::Validation::new(Algorithm::EdDSA);
        let data = jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap();
        assert_eq!(data.claims["sub"], "x");
    }

    #[test]
    fn provider_refuses_other_algorithms() {
        assert!(signer(&Algorithm::HS256, &EncodingKey::from_secret(b"k")).is_err());
        assert!(verifier(&Algorithm::HS256, &DecodingKey::from_secret(b"k")).is_err());
        assert!(verifier(&Algorithm::EdDSA, &DecodingKey::from_secret(b"k")).is_err());
    }
}
