//! `EVIDENCE_ENCRYPTION_KEY`: exactly 32 bytes, in one of three spellings.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use zeroize::Zeroizing;

/// Bytes of the key.
const LEN: usize = 32;

/// The key that seals the files of a keystore folder: wiped when dropped, never printed.
#[derive(Clone)]
pub struct EncryptionKey(Zeroizing<[u8; LEN]>);

/// Why a text is not such a key; it never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionKeyError {
    /// Another length.
    #[error(
        "has {0} bytes: it must be exactly 32, written as 44 characters of base64, 64 hexadecimal digits or 32 raw \
         characters; make one with `openssl rand -base64 32`"
    )]
    Length(usize),
    /// 32 hexadecimal digits.
    #[error(
        "is 32 hexadecimal digits, which are only 16 bytes: make one of 32 bytes with `openssl rand -hex 32`"
    )]
    HalfHex,
    /// 44 characters that are not base64 of 32 bytes.
    #[error(
        "has the 44 characters of base64 and is not base64 of 32 bytes; make one with `openssl rand -base64 32`"
    )]
    Base64,
    /// 64 characters that are not hexadecimal.
    #[error(
        "has the 64 characters of hexadecimal and is not hexadecimal; make one with `openssl rand -hex 32`"
    )]
    Hex,
}

impl EncryptionKey {
    /// Reads any of the three spellings; nothing is trimmed.
    ///
    /// # Errors
    /// [`EncryptionKeyError`], a sentence that says what to do.
    pub fn parse(text: &str) -> Result<Self, EncryptionKeyError> {
        let bytes = text.as_bytes();
        match bytes.len() {
            LEN if bytes.iter().all(u8::is_ascii_hexdigit) => Err(EncryptionKeyError::HalfHex),
            LEN => Ok(Self::of(bytes)),
            44 => {
                let decoded = STANDARD.decode(bytes).or_else(|_| URL_SAFE.decode(bytes)).map(Zeroizing::new);
                match decoded {
                    Ok(decoded) if decoded.len() == LEN => Ok(Self::of(&decoded)),
                    _ => Err(EncryptionKeyError::Base64),
                }
            }
            64 => from_hex(bytes).map(Self).ok_or(EncryptionKeyError::Hex),
            other => Err(EncryptionKeyError::Length(other)),
        }
    }

    fn of(bytes: &[u8]) -> Self {
        let mut key = Zeroizing::new([0; LEN]);
        key.copy_from_slice(bytes);
        Self(key)
    }

    pub(super) fn expose(&self) -> &[u8; LEN] {
        &self.0
    }
}

fn from_hex(digits: &[u8]) -> Option<Zeroizing<[u8; LEN]>> {
    let mut key = Zeroizing::new([0; LEN]);
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| pair.get(at).and_then(|digit| (*digit as char).to_digit(16));
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(key)
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey([secret])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_reads_the_same_key_from_all_three_spellings() {
        let raw = "a raw key of 32 bytes, as it is.";
        let hex: String = raw.bytes().map(|byte| format!("{byte:02x}")).collect();
        for text in [raw.to_owned(), STANDARD.encode(raw), hex.clone(), hex.to_uppercase()] {
            assert_eq!(EncryptionKey::parse(&text).unwrap().expose(), raw.as_bytes(), "{text}");
        }
        let high = STANDARD.encode([0xfb; 32]);
        assert_eq!(EncryptionKey::parse(&high).unwrap().expose(), &[0xfb; 32]);
        assert_eq!(
            EncryptionKey::parse(&high.replace('+', "-").replace('/', "_")).unwrap().expose(),
            &[0xfb; 32]
        );
    }

    #[test]
    fn parse_counts_bytes_and_not_characters() {
        assert!(EncryptionKey::parse(&"é".repeat(16)).is_ok());
        assert_eq!(EncryptionKey::parse(&"é".repeat(32)).unwrap_err(), EncryptionKeyError::Hex);
    }

    #[test]
    fn parse_refuses_every_other_length_with_a_sentence() {
        for length in (0..140).filter(|length| ![32, 44, 64].contains(length)) {
            let error = EncryptionKey::parse(&"k".repeat(length)).unwrap_err();
            assert_eq!(error, EncryptionKeyError::Length(length));
            assert!(error.to_string().contains("exactly 32"));
        }
        // 32 digits look long enough and are not.
        let half = EncryptionKey::parse("00112233445566778899aabbccddeeff").unwrap_err();
        assert_eq!(half, EncryptionKeyError::HalfHex);
        assert!(half.to_string().contains("16 bytes"));
        // The right lengths with the wrong letters.
        assert_eq!(EncryptionKey::parse(&"!".repeat(44)).unwrap_err(), EncryptionKeyError::Base64);
        // 44 characters without padding are 33 bytes.
        assert_eq!(EncryptionKey::parse(&"A".repeat(44)).unwrap_err(), EncryptionKeyError::Base64);
        assert_eq!(EncryptionKey::parse(&"g".repeat(64)).unwrap_err(), EncryptionKeyError::Hex);
    }

    #[test]
    fn key_is_not_printed() {
        let key = EncryptionKey::parse("hunter2 hunter2 hunter2 hunter2!").unwrap();
        assert!(!format!("{key:?}").contains("hunter2"));
        assert!(!format!("{} {0:?}", EncryptionKey::parse("hunter2").unwrap_err()).contains("hunter2"));
    }
}
