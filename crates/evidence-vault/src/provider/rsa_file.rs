//! The RSA key that signs proofs, out of a file that openssl made.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{KeyPair as _, RSA_PSS_SHA256, RsaKeyPair};
use serde_json::Value;
use zeroize::Zeroizing;

use super::jwk;

/// An RSA private key of 2048 to 4096 bits: neither printed nor cloned.
pub struct RsaFile {
    pair: RsaKeyPair,
    jwk: Value,
}

/// Why a file gives no such key.
#[derive(Debug, thiserror::Error)]
pub enum RsaFileError {
    /// It cannot be read.
    #[error("cannot be read")]
    Read(#[from] std::io::Error),
    /// It has a passphrase.
    #[error(
        "is encrypted with a passphrase, which a service cannot type: write it without one, readable by the service alone"
    )]
    Encrypted,
    /// It is something else.
    #[error(
        "is not an RSA private key in PEM (PKCS#8 or PKCS#1) of 2048 to 4096 bits: make one with \
         `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072`"
    )]
    Kind,
}

impl RsaFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`RsaFileError`], what to do about it.
    pub fn read(path: &Path) -> Result<Self, RsaFileError> {
        Self::from_pem(&Zeroizing::new(std::fs::read_to_string(path)?))
    }

    /// Reads PEM: PKCS#8 as `openssl genpkey` writes it, PKCS#1 as older commands do.
    ///
    /// # Errors
    /// [`RsaFileError`], what to do about it.
    pub fn from_pem(pem: &str) -> Result<Self, RsaFileError> {
        if pem.contains("ENCRYPTED") {
            return Err(RsaFileError::Encrypted);
        }
        let pair = match (der(pem, "PRIVATE KEY"), der(pem, "RSA PRIVATE KEY")) {
            (Some(pkcs8), _) => RsaKeyPair::from_pkcs8(&pkcs8),
            (None, Some(pkcs1)) => RsaKeyPair::from_der(&pkcs1),
            (None, None) => return Err(RsaFileError::Kind),
        }
        .map_err(|_| RsaFileError::Kind)?;
        let public = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let jwk = jwk::of_rsa(&public.n, &public.e);
        Ok(Self { pair, jwk })
    }

    /// The public half.
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// PS256: RSASSA-PSS with SHA-256 and a salt as long as the digest.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ring::error::Unspecified> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message, &mut signature)?;
        Ok(signature)
    }
}

impl fmt::Debug for RsaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaFile({})", self.jwk["kid"])
    }
}

/// The body of the first PEM block with this label.
fn der(pem: &str, label: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
    STANDARD.decode(body.as_bytes()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn openssl(arguments: &[&str]) -> String {
        let output = Command::new("openssl").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn from_pem_reads_what_openssl_writes_in_both_forms() {
        let pkcs8 = openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proof.pem");
        std::fs::write(&path, &pkcs8).unwrap();
        let pkcs1 = openssl(&["rsa", "-traditional", "-in", path.to_str().unwrap()]);
        assert!(pkcs1.contains("BEGIN RSA PRIVATE KEY"));
        let (key, same) = (RsaFile::read(&path).unwrap(), RsaFile::from_pem(&pkcs1).unwrap());
        assert_eq!(key.jwk(), same.jwk());
        assert_eq!(key.sign(b"message").unwrap().len(), 256);
    }

    #[test]
    fn from_pem_refuses_other_keys_and_says_what_to_make() {
        let small = openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]);
        let other = openssl(&["genpkey", "-algorithm", "ed25519"]);
        for pem in ["", "hunter2", &small, &other] {
            let error = RsaFile::from_pem(pem).unwrap_err();
            assert!(error.to_string().contains("openssl genpkey"), "{error}");
            assert!(!error.to_string().contains("hunter2"));
        }
        let label = "ENCRYPTED PRIVATE KEY";
        let locked = format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        assert!(matches!(RsaFile::from_pem(&locked), Err(RsaFileError::Encrypted)));
    }
}
