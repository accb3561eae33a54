//! What must not be found, in each spelling in which it could be written.

use std::borrow::Cow;
use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter values are found by chance.
const SHORTEST: usize = 8;

/// A set of secrets, and one automaton that finds them all, whatever the case of letters.
#[derive(Default)]
pub struct Secrets {
    needles: Vec<Needle>,
    automaton: std::sync::OnceLock<AhoCorasick>,
}

struct Needle {
    secret: String,
    spelling: &'static str,
    bytes: Vec<u8>,
}

/// A secret that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit<'a> {
    /// Its name.
    pub secret: &'a str,
    /// How it was written.
    pub spelling: &'static str,
}

impl Secrets {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a secret: as it is, in base64 and base64url at any offset of what is encoded, in hexadecimal digits, and with
    /// every byte percent-encoded. `Bearer` and whatever else stands before it does not matter.
    ///
    /// # Panics
    /// When the value is shorter than eight bytes.
    pub fn add(&mut self, secret: &str, value: &[u8]) {
        assert!(
            value.len() >= SHORTEST,
            "{secret} is too short to be looked for: it would be found by chance"
        );
        self.automaton.take();
        // Nor may any process of the whole run log it (tests/logs).
        if let Ok(text) = std::str::from_utf8(value) {
            mintmark_devstack::logs::secret(secret, text);
        }
        let mut spell = |spelling, bytes| {
            self.needles.push(Needle { secret: secret.to_owned(), spelling, bytes });
        };
        spell("as it is", value.to_vec());
        spell("hex", value.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect());
        spell("percent-encoded", value.iter().flat_map(|byte| format!("%{byte:02x}").into_bytes()).collect());
        for offset in 0..3 {
            spell("base64", encoded_at(offset, value, |bytes| STANDARD_NO_PAD.encode(bytes)));
            spell("base64url", encoded_at(offset, value, |bytes| URL_SAFE_NO_PAD.encode(bytes)));
        }
    }

    /// Adds a JWT: whole, and its claims and its signature alone.
    ///
    /// # Panics
    /// When it is none.
    pub fn add_jwt(&mut self, secret: &str, jwt: &str) {
        let parts: Vec<&str> = jwt.split('.').collect();
        let [_, claims, signature] = parts.as_slice() else { panic!("{secret} is not a JWT") };
        self.add(secret, jwt.as_bytes());
        self.add(&format!("{secret} (its claims)"), claims.as_bytes());
        self.add(&format!("{secret} (its signature)"), signature.as_bytes());
    }

    /// Which stand in the bytes, each spelling once; also where some of their characters are percent-encoded, and in
    /// binary metadata.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> BTreeSet<Hit<'_>> {
        let automaton = self.automaton.get_or_init(|| {
            let needles = self.needles.iter().map(|needle| needle.bytes.as_slice());
            match AhoCorasick::builder().ascii_case_insensitive(true).build(needles) {
                Ok(automaton) => automaton,
                Err(error) => panic!("the secrets cannot be looked for: {error}"),
            }
        });
        let mut found = BTreeSet::new();
        for view in [Cow::Borrowed(bytes), percent_decoded(bytes)] {
            for hit in automaton.find_overlapping_iter(view.as_ref()) {
                let needle = &self.needles[hit.pattern().as_usize()];
                found.insert(Hit { secret: &needle.secret, spelling: needle.spelling });
            }
        }
        found
    }
}

/// The characters of an encoding that stand for `value` alone, when `offset` bytes (modulo 3) stand before it.
fn encoded_at(offset: usize, value: &[u8], encode: impl Fn(&[u8]) -> String) -> Vec<u8> {
    let before = [0; 2];
    let encoded = encode(&[&before[..offset], value].concat()).into_bytes();
    // A character stands for six bits: those with bits of what is before or behind are not the value's.
    let (first, end) = ((offset * 8).div_ceil(6), (offset + value.len()) * 8 / 6);
    encoded[first..end].to_vec()
}

/// With `%41` as `A`; what is not an escape stays.
fn percent_decoded(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !bytes.contains(&b'%') {
        return Cow::Borrowed(b"");
    }
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    const TOKEN: &str = "mmct_Sw0rd+Fish/9?>zz";

    fn spellings(text: impl AsRef<[u8]>) -> Vec<&'static str> {
        let mut secrets = Secrets::new();
        secrets.add("a decoy", b"nothing of that kind");
        secrets.add("the token", TOKEN.as_bytes());
        secrets.find(text.as_ref()).into_iter().map(|hit| hit.spelling).collect()
    }

    #[test]
    fn find_knows_every_spelling() {
        let hex: String = TOKEN.bytes().map(|byte| format!("{byte:02X}")).collect();
        let all: String = TOKEN.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let table = [
            (TOKEN.to_owned(), "as it is"),
            (format!("Bearer {TOKEN}"), "as it is"),
            (TOKEN.to_uppercase(), "as it is"),
            (TOKEN.to_lowercase(), "as it is"),
            ("mmct%5FSw0rd%2BFish%2f9%3f%3Ezz".to_owned(), "as it is"),
            (hex, "hex"),
            (all, "percent-encoded"),
        ];
        for (text, expected) in table {
            assert!(spellings(&text).contains(&expected), "{text}");
        }
        assert_eq!(spellings("mmct_Sw0rd+Fish/9?>z"), Vec::<&str>::new());
        assert_eq!(spellings(""), Vec::<&str>::new());
    }

    #[test]
    fn find_knows_base64_wherever_the_secret_stands_in_it() {
        for before in ["", "u", "us", "user:", "Bearer "] {
            for after in ["", "!", "!!", "\r\nmore"] {
                let text = format!("{before}{TOKEN}{after}");
                assert!(spellings(STANDARD.encode(&text)).contains(&"base64"), "{text:?}");
                assert!(spellings(STANDARD_NO_PAD.encode(&text)).contains(&"base64"), "{text:?}");
                assert!(spellings(URL_SAFE.encode(&text)).contains(&"base64url"), "{text:?}");
            }
        }
    }

    #[test]
    fn find_of_a_jwt_knows_its_parts() {
        let mut secrets = Secrets::new();
        secrets.add_jwt("a session", "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c2VyOjEifQ.c2lnbmF0dXJl");
        let names = |text: &str| -> Vec<String> {
            secrets.find(text.as_bytes()).into_iter().map(|hit| hit.secret.to_owned()).collect()
        };
        assert_eq!(names("x eyJzdWIiOiJ1c2VyOjEifQ x"), ["a session (its claims)"]);
        assert_eq!(names("c2lnbmF0dXJl"), ["a session (its signature)"]);
        assert_eq!(names("eyJhbGciOiJFZERTQSJ9"), Vec::<String>::new(), "every such token begins like that");
    }
}
