//! API keys: `mmk_<environment>_<id>_<secret><checksum>`.
//!
//! - environment: `live` or `test`; a key of one is refused by the other before anything is looked up.
//! - id: the 26 characters of its [`ApiKeyId`]; it names the key in lists, logs and metrics and is no secret.
//! - secret: 256 random bits, 64 hex digits.
//! - checksum: CRC-32 (IEEE 802.3) of everything before it, 8 hex digits. It finds typing errors, and lets a scanner of
//!   repositories tell a key from a word without asking anybody; it is no proof of anything.
//!
//! What is stored is the SHA-256 of the whole text. The secret has 256 bits, so a slow hash would add nothing.

use std::fmt;
use std::fmt::Write as _;

use mintmark_ids::ApiKeyId;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// What every API key begins with.
pub const API_KEY_PREFIX: &str = "mmk_";

/// Bytes of the secret.
const SECRET_LEN: usize = 32;
/// Characters of the secret and of the checksum.
const SECRET_CHARS: usize = 2 * SECRET_LEN;
const CHECKSUM_CHARS: usize = 8;

/// Where a key may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyEnvironment {
    /// Production.
    Live,
    /// Development and test.
    Test,
}

impl KeyEnvironment {
    /// As it stands in the key.
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyEnvironment::Live => "live",
            KeyEnvironment::Test => "test",
        }
    }
}

/// A fresh key, to be shown once.
pub struct IssuedKey {
    id: ApiKeyId,
    raw: SecretString,
    digest: [u8; 32],
}

/// A text that has the form of a key and the right checksum: whether it is one, the stored digest decides.
pub struct PresentedKey {
    id: ApiKeyId,
    environment: KeyEnvironment,
    digest: [u8; 32],
}

/// The proof that a key was presented whose digest is stored; only [`PresentedKey::verify`] makes one.
///
/// ```compile_fail
/// let forged = mintmark_auth::VerifiedKey { id: mintmark_ids::ApiKeyId::new() };
/// ```
#[derive(Clone, Copy, Debug)]
pub struct VerifiedKey {
    id: ApiKeyId,
}

/// A text is not an API key: another form, or a wrong checksum. The message never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an API key: it begins with `mmk_` and ends with a checksum; copy it whole, as it was shown at creation"
)]
pub struct ApiKeyError;

impl IssuedKey {
    /// A new key with a new id.
    pub fn generate(environment: KeyEnvironment) -> Self {
        Self::with_id(environment, ApiKeyId::new())
    }

    #[expect(clippy::expect_used, reason = "the kernel's random source does not fail on a running system")]
    fn with_id(environment: KeyEnvironment, id: ApiKeyId) -> Self {
        let mut secret = Zeroizing::new([0; SECRET_LEN]);
        SystemRandom::new().fill(secret.as_mut()).expect("randomness");
        let name = id.to_string();
        let body = name.split_once('_').map_or("", |(_, body)| body);
        let mut raw = String::with_capacity(128);
        // Writing to a string cannot fail.
        let _ = write!(raw, "{API_KEY_PREFIX}{}_{body}_", environment.as_str());
        for byte in secret.iter() {
            let _ = write!(raw, "{byte:02x}");
        }
        let checksum = crc32fast::hash(raw.as_bytes());
        let _ = write!(raw, "{checksum:08x}");
        IssuedKey { id, digest: sha256(&raw), raw: SecretString::from(raw) }
    }

    /// The id, which is no secret.
    pub fn id(&self) -> ApiKeyId {
        self.id
    }

    /// The key itself, for the one answer that shows it.
    pub fn expose(&self) -> &str {
        self.raw.expose_secret()
    }

    /// SHA-256 of the key: what is stored.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl fmt::Debug for IssuedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuedKey({}, [secret])", self.id)
    }
}

impl PresentedKey {
    /// Reads a presented text; nothing but its digest is kept. Typing errors end here, before any database is asked.
    pub fn parse(text: &str) -> Result<Self, ApiKeyError> {
        let rest = text.strip_prefix(API_KEY_PREFIX).ok_or(ApiKeyError)?;
        let (environment, rest) = rest.split_once('_').ok_or(ApiKeyError)?;
        let environment = match environment {
            "live" => KeyEnvironment::Live,
            "test" => KeyEnvironment::Test,
            _ => return Err(ApiKeyError),
        };
        let (id, secret) = rest.split_once('_').ok_or(ApiKeyError)?;
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if secret.len() != SECRET_CHARS + CHECKSUM_CHARS || !secret.bytes().all(lower_hex) {
            return Err(ApiKeyError);
        }
        let (body, checksum) = text.split_at_checked(text.len() - CHECKSUM_CHARS).ok_or(ApiKeyError)?;
        if format!("{:08x}", crc32fast::hash(body.as_bytes())) != checksum {
            return Err(ApiKeyError);
        }
        let id = format!("{}_{id}", ApiKeyId::PREFIX).parse().map_err(|_| ApiKeyError)?;
        Ok(PresentedKey { id, environment, digest: sha256(text) })
    }

    /// The id that the text names: to look the stored digest up by. It proves nothing yet.
    pub fn id(&self) -> ApiKeyId {
        self.id
    }

    /// Where the text says that it may be used.
    pub fn environment(&self) -> KeyEnvironment {
        self.environment
    }

    /// Compares with the stored digest in constant time; where the id is not known, with one that nothing hashes to, so
    /// that both cost the same.
    pub fn verify(&self, stored: Option<&[u8; 32]>) -> Option<VerifiedKey> {
        let same: bool = self.digest.ct_eq(stored.unwrap_or(&[0; 32])).into();
        (same && stored.is_some()).then_some(VerifiedKey { id: self.id })
    }
}

impl fmt::Debug for PresentedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PresentedKey({})", self.id)
    }
}

impl VerifiedKey {
    /// Which key.
    pub fn id(&self) -> ApiKeyId {
        self.id
    }
}

/// Whether a text has an API key's prefix: a service that takes none can say what it was sent.
pub fn looks_like_api_key(text: &str) -> bool {
    text.starts_with(API_KEY_PREFIX)
}

fn sha256(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_key_reads_back_and_verifies_against_its_digest_alone() {
        for environment in [KeyEnvironment::Live, KeyEnvironment::Test] {
            let issued = IssuedKey::generate(environment);
            let presented = PresentedKey::parse(issued.expose()).unwrap();
            assert_eq!((presented.id(), presented.environment()), (issued.id(), environment));
            assert_eq!(presented.verify(Some(issued.digest())).unwrap().id(), issued.id());
            let other = IssuedKey::generate(environment);
            assert!(presented.verify(Some(other.digest())).is_none());
            assert!(presented.verify(None).is_none());
            assert_ne!(issued.expose(), other.expose());
        }
    }

    #[test]
    fn key_has_the_documented_form_and_checksum() {
        let issued = IssuedKey::generate(KeyEnvironment::Live);
        let parts: Vec<&str> = issued.expose().split('_').collect();
        assert_eq!(
            (parts.len(), parts[0], parts[1], parts[2].len(), parts[3].len()),
            (4, "mmk", "live", 26, 72)
        );
        assert_eq!(format!("key_{}", parts[2]), issued.id().to_string());
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn parse_of_every_single_changed_character_is_refused() {
        let issued = IssuedKey::generate(KeyEnvironment::Test);
        let good = issued.expose().to_owned();
        for at in 0..good.len() {
            for other in ["0", "f", "z", "_", "A", " ", "é"] {
                let mut bad = good.clone();
                bad.replace_range(at..=at, other);
                if bad != good {
                    assert!(PresentedKey::parse(&bad).is_err(), "{at} {other}");
                }
            }
            assert!(PresentedKey::parse(&good[..at]).is_err(), "cut at {at}");
        }
        for bad in ["", "mmk_", "mmk_live__", "mmk_test_é_é", &format!("{good} "), &good.to_uppercase()] {
            assert!(PresentedKey::parse(bad).is_err());
        }
    }

    #[test]
    fn debug_shows_the_id_and_no_secret() {
        let issued = IssuedKey::generate(KeyEnvironment::Live);
        let secret = issued.expose().rsplit('_').next().unwrap().to_owned();
        let presented = PresentedKey::parse(issued.expose()).unwrap();
        for shown in [format!("{issued:?}"), format!("{presented:?}"), ApiKeyError.to_string()] {
            assert!(!shown.contains(&secret[..16]), "{shown}");
        }
    }
}
