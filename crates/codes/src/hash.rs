use std::fmt;

use ring::{digest, hmac};

use crate::code::Code;

/// Keeps digests of codes apart from SHA-256 of anything else; the version changes with the format.
const DIGEST_DOMAIN: &[u8; 17] = b"mintmark:code:v1\0";

/// SHA-256 of a code under its domain: what the control plane publishes instead of the code.
///
/// It can be recognised and not turned back: a code has 90 unguessable bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeDigest([u8; CodeDigest::LEN]);

impl CodeDigest {
    /// Bytes of a digest.
    pub const LEN: usize = digest::SHA256_OUTPUT_LEN;

    /// `SHA-256("mintmark:code:v1\0" ‖ the 20 characters)`. One compression, no allocation.
    pub fn of(code: &Code) -> Self {
        const DOMAIN_LEN: usize = DIGEST_DOMAIN.len();
        let mut input = [0; DOMAIN_LEN + Code::LEN];
        input[..DOMAIN_LEN].copy_from_slice(DIGEST_DOMAIN);
        input[DOMAIN_LEN..].copy_from_slice(code.as_bytes());
        Self(first(digest::digest(&digest::SHA256, &input).as_ref()))
    }

    /// The digest that a peer sent.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

/// The key under which a directory partition hashes the digests it stores. It lives outside Postgres.
///
/// It does not print, copy or compare.
pub struct Pepper(hmac::Key);

impl Pepper {
    /// Bytes of a pepper.
    pub const LEN: usize = 32;

    /// Takes 32 random bytes as a key.
    pub fn new(key: &[u8; Self::LEN]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// What the directory stores for a digest: the first 16 bytes of `HMAC-SHA256(pepper, digest)`.
    pub fn hash(&self, digest: &CodeDigest) -> StoredHash {
        StoredHash(first(hmac::sign(&self.0, &digest.0).as_ref()))
    }
}

/// Shows nothing of the key.
impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(secret)")
    }
}

/// What the directory keeps of a code: 16 bytes that say nothing without the pepper.
///
/// 128 bits leave a collision among 10^12 codes at odds of about 1 in 10^15.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoredHash([u8; StoredHash::LEN]);

impl StoredHash {
    /// Bytes of a stored hash: the size of a `uuid` column.
    pub const LEN: usize = 16;

    /// The hash that a row holds.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The hash as a number, most significant byte first; in the order of the bytes.
    pub const fn from_u128(number: u128) -> Self {
        Self(number.to_be_bytes())
    }

    /// The number of [`from_u128`](Self::from_u128).
    pub const fn as_u128(&self) -> u128 {
        u128::from_be_bytes(self.0)
    }
}

/// The first `N` bytes of a SHA-256 output, which has 32.
fn first<const N: usize>(output: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&output[..N]);
    bytes
}

fn hex(f: &mut fmt::Formatter<'_>, name: &str, bytes: &[u8]) -> fmt::Result {
    write!(f, "{name}(")?;
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
    f.write_str(")")
}

impl fmt::Debug for CodeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(f, "CodeDigest", &self.0)
    }
}

impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(f, "StoredHash", &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> CodeDigest {
        CodeDigest::of(&Code::parse(text).unwrap())
    }

    // The expected values were computed with another implementation (Python's hashlib and hmac). A change to one of
    // them makes every code that was ever printed unknown.
    #[test]
    fn digest_of_a_known_code_is_pinned() {
        let pinned = "CodeDigest(30da7a6ec3f7ad5f525b6637a86ff22f5354bad47be80ea5aa87af5d7a608d31)";
        assert_eq!(format!("{:?}", digest("3FZK9Q7M2XW4T8B6NRVA")), pinned);
        assert_eq!(format!("{:?}", digest("3fzk-9q7m-2xw4-t8b6-nrva")), pinned);
    }

    #[test]
    fn hash_under_a_known_pepper_is_pinned() {
        let stored = Pepper::new(&[0x42; 32]).hash(&digest("3FZK9Q7M2XW4T8B6NRVA"));
        assert_eq!(format!("{stored:?}"), "StoredHash(8551d19efb483e7d33e0bc6298c980f5)");
        assert_eq!(stored.as_u128(), 0x8551_d19e_fb48_3e7d_33e0_bc62_98c9_80f5);
    }

    #[test]
    fn hash_depends_on_code_and_pepper() {
        let pepper = Pepper::new(&[0x42; 32]);
        let sample = digest("3FZK9Q7M2XW4T8B6NRVA");
        assert_ne!(pepper.hash(&sample), pepper.hash(&digest("3FZK9Q7M2XW4T8B6NRVB")));
        assert_ne!(pepper.hash(&sample), Pepper::new(&[0x43; 32]).hash(&sample));
    }

    #[test]
    fn bytes_and_numbers_read_back() {
        let sample = digest("00000000000000000000");
        assert_eq!(CodeDigest::from_bytes(*sample.as_bytes()), sample);
        let stored = Pepper::new(&[1; 32]).hash(&sample);
        assert_eq!(StoredHash::from_bytes(*stored.as_bytes()), stored);
        assert_eq!(StoredHash::from_u128(stored.as_u128()), stored);
        assert_eq!(StoredHash::from_u128(1).as_bytes()[15], 1);
    }

    #[test]
    fn debug_of_a_pepper_hides_the_key() {
        assert_eq!(format!("{:?}", Pepper::new(&[0x42; 32])), "Pepper(secret)");
    }
}
