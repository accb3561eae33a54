//! Envoy's credential: Envoy cannot mint a service token, so one method of the rate limiter takes a static secret from its
//! `initial_metadata`. We keep the SHA-256 alone, and each credential is good for the domains that it is bound to.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::SecretString;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// What every such credential begins with.
pub const ENVOY_PREFIX: &str = "mmenv_";

/// The longest name of a domain.
const MAX_DOMAIN: usize = 128;
/// The old one and the new one of a rotation.
const MAX_AT_ONCE: usize = 2;

/// The credentials that a process accepts.
///
/// It cannot be cloned or printed, and knows the SHA-256 of each only.
pub struct EnvoyCredentials(Vec<Bound>);

/// The digests that are good for a domain.
struct Bound {
    domain: Box<str>,
    digests: Vec<[u8; 32]>,
}

/// Whoever presented a credential, or a certificate that the trust bundle names; only [`EnvoyCredentials::verify`] and
/// [`crate::TrustStore::envoy`] make one.
#[derive(Clone, Debug)]
pub struct EnvoyCaller(Arc<[Box<str>]>);

/// The proof that a caller may speak of a domain; only [`EnvoyCaller::domain`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvoyDomain(Box<str>);

/// A new credential, and what is configured of it.
pub struct IssuedEnvoyCredential {
    /// For Envoy's `initial_metadata`: `authorization: Bearer …`.
    pub credential: SecretString,
    /// For `RATE_LIMIT_ENVOY_CREDENTIALS`, in hexadecimal.
    pub sha256: String,
}

/// What is wrong with configured credentials. It repeats nothing of them but the names of domains.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvoyCredentialsError {
    /// Not of the form at all.
    #[error("an entry is no `domain=sha256[,sha256]`: separate entries by `;`")]
    Form,
    /// A name that no domain can have.
    #[error("a domain is 1 to {MAX_DOMAIN} printable ASCII characters without spaces, `=`, `,` and `;`")]
    Domain,
    /// The same domain in two entries.
    #[error("the domain `{0}` stands there twice: write its digests separated by a comma")]
    Twice(Box<str>),
    /// More than a rotation needs.
    #[error(
        "the domain `{0}` has more than two digests: the old one and the new one of a rotation are enough"
    )]
    TooMany(Box<str>),
    /// No digest.
    #[error(
        "a digest of the domain `{0}` is not 64 hexadecimal digits: it is the SHA-256 that `mintmark token envoy` prints beside a credential, and never the credential itself"
    )]
    Digest(Box<str>),
}

impl EnvoyCredentials {
    /// Takes the configured text: `domain=sha256[,sha256]`, entries separated by `;`.
    ///
    /// # Errors
    /// When an entry cannot be used.
    pub fn parse(text: &str) -> Result<Self, EnvoyCredentialsError> {
        let mut bound: Vec<Bound> = Vec::new();
        for entry in text.split(';').map(str::trim) {
            let (domain, digests) = entry.split_once('=').ok_or(EnvoyCredentialsError::Form)?;
            if !is_domain(domain) {
                return Err(EnvoyCredentialsError::Domain);
            }
            if bound.iter().any(|other| &*other.domain == domain) {
                return Err(EnvoyCredentialsError::Twice(domain.into()));
            }
            let digests: Option<Vec<[u8; 32]>> = digests.split(',').map(|hex| from_hex(hex.trim())).collect();
            let digests = digests.ok_or_else(|| EnvoyCredentialsError::Digest(domain.into()))?;
            if digests.len() > MAX_AT_ONCE {
                return Err(EnvoyCredentialsError::TooMany(domain.into()));
            }
            bound.push(Bound { domain: domain.into(), digests });
        }
        Ok(Self(bound))
    }

    /// Who presents this; `None` says nothing about how near the presented value was. Every digest is compared, in constant
    /// time.
    #[must_use]
    pub fn verify(&self, presented: &str) -> Option<EnvoyCaller> {
        let presented = sha256(presented);
        let mut domains: Vec<Box<str>> = Vec::new();
        for bound in &self.0 {
            let known = bound.digests.iter().fold(subtle::Choice::from(0), |known, digest| {
                known | digest.as_slice().ct_eq(presented.as_slice())
            });
            if bool::from(known) {
                domains.push(bound.domain.clone());
            }
        }
        EnvoyCaller::of(domains)
    }
}

impl EnvoyCaller {
    /// Nobody, where there is no domain.
    pub(crate) fn of(domains: Vec<Box<str>>) -> Option<Self> {
        (!domains.is_empty()).then(|| Self(domains.into()))
    }

    /// Whether this caller may speak of a domain.
    #[must_use]
    pub fn domain(&self, name: &str) -> Option<EnvoyDomain> {
        self.0.iter().find(|domain| &***domain == name).map(|domain| EnvoyDomain(domain.clone()))
    }
}

impl EnvoyDomain {
    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Makes a credential of 256 random bits.
#[expect(clippy::expect_used, reason = "the kernel's random source does not fail on a running system")]
pub fn generate() -> IssuedEnvoyCredential {
    let mut secret = Zeroizing::new([0; 32]);
    SystemRandom::new().fill(secret.as_mut()).expect("randomness");
    let body = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret.as_ref()));
    let credential = Zeroizing::new(format!("{ENVOY_PREFIX}{}", body.as_str()));
    let mut hex = String::with_capacity(64);
    for byte in sha256(&credential) {
        // Writing to a String cannot fail.
        let _infallible = write!(hex, "{byte:02x}");
    }
    IssuedEnvoyCredential { credential: SecretString::from(credential.as_str()), sha256: hex }
}

/// Whether a domain can be called so.
pub(crate) fn is_domain(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b',' | b';' | b'=');
    (1..=MAX_DOMAIN).contains(&name.len()) && name.bytes().all(allowed)
}

fn sha256(text: &str) -> [u8; 32] {
    digest_of(text.as_bytes())
}

pub(crate) fn digest_of(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, bytes).as_ref());
    sum
}

pub(crate) fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn verify_knows_both_credentials_of_a_rotation_and_their_domains() {
        let [old, new, other] = [(); 3].map(|()| generate());
        let text = format!("edge={},{}; inner={}", old.sha256, new.sha256, new.sha256.to_uppercase());
        let accepted = EnvoyCredentials::parse(&text).unwrap();
        let may = |issued: &IssuedEnvoyCredential| {
            let caller = accepted.verify(issued.credential.expose_secret())?;
            Some(["edge", "inner", "EDGE"].map(|domain| caller.domain(domain).is_some()))
        };
        assert_eq!(may(&old), Some([true, false, false]));
        assert_eq!(may(&new), Some([true, true, false]));
        assert_eq!(may(&other), None);
        let near = old.credential.expose_secret().to_uppercase();
        for presented in ["", "mmenv_", near.as_str(), old.sha256.as_str()] {
            assert!(accepted.verify(presented).is_none(), "{presented}");
        }
    }

    #[test]
    fn generate_has_256_bits_and_its_prefix() {
        let [one, two] = [generate(), generate()];
        let body = one.credential.expose_secret().strip_prefix(ENVOY_PREFIX).unwrap().to_owned();
        assert_eq!(URL_SAFE_NO_PAD.decode(body).unwrap().len(), 32);
        assert_ne!(one.sha256, two.sha256);
    }

    #[test]
    fn parse_refuses_what_cannot_be_meant_and_repeats_no_secret() {
        let issued = generate();
        let secret = issued.credential.expose_secret().to_owned();
        let sound = &issued.sha256;
        for text in [
            String::new(),
            sound.clone(),
            format!("={sound}"),
            format!("a b={sound}"),
            format!("edge={secret}"),
            "edge=".to_owned(),
            format!("edge={}", &sound[1..]),
            format!("edge={sound},{sound},{sound}"),
            format!("edge={sound};edge={sound}"),
            format!("edge={sound};"),
        ] {
            let said = EnvoyCredentials::parse(&text).err().unwrap_or_else(|| panic!("{text}")).to_string();
            assert!(!said.contains(&secret) && !said.contains(sound.as_str()), "{said}");
        }
    }
}
