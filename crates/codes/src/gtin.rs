use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A Global Trade Item Number with a correct check digit, padded to 14 digits as GS1 AI 01 has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gtin([u8; Gtin::LEN]);

impl Gtin {
    /// Digits of the padded form.
    pub const LEN: usize = 14;

    /// Reads a GTIN-8, GTIN-12, GTIN-13 or GTIN-14: digits only, nothing trimmed.
    ///
    /// # Errors
    /// [`GtinError`]; for a wrong check digit it says which one was expected.
    pub fn parse(text: &str) -> Result<Self, GtinError> {
        if !matches!(text.len(), 8 | 12 | 13 | 14) {
            return Err(GtinError::Length { found: text.chars().count() });
        }
        if let Some(position) = text.bytes().position(|byte| !byte.is_ascii_digit()) {
            return Err(GtinError::Character { position: position + 1 });
        }
        let mut digits = [b'0'; Self::LEN];
        digits[Self::LEN - text.len()..].copy_from_slice(text.as_bytes());
        if digits == [b'0'; Self::LEN] {
            return Err(GtinError::Zero);
        }
        let found = digits[Self::LEN - 1] - b'0';
        match check_digit(&digits) {
            expected if expected == found => Ok(Self(digits)),
            expected => Err(GtinError::CheckDigit { expected, found }),
        }
    }

    /// Reads the 14-digit form alone, which is the only one in a Digital Link URI of ours.
    ///
    /// # Errors
    /// [`GtinError`], as for [`parse`](Self::parse); a shorter GTIN is a wrong length here.
    pub fn parse14(text: &str) -> Result<Self, GtinError> {
        if text.len() == Self::LEN {
            Self::parse(text)
        } else {
            Err(GtinError::Length14 { found: text.chars().count() })
        }
    }

    /// The 14 digits.
    #[expect(clippy::expect_used, reason = "the only constructor checks that all bytes are ASCII digits")]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits are ASCII")
    }
}

/// The digit that makes the weighted sum a multiple of ten: weights 3 and 1 in turn, 3 for the digit before the check
/// digit (GS1 General Specifications, 7.9.1).
fn check_digit(digits: &[u8; Gtin::LEN]) -> u8 {
    let sum: u16 = digits[..Gtin::LEN - 1]
        .iter()
        .enumerate()
        .map(|(index, digit)| u16::from(digit - b'0') * if index % 2 == 0 { 3 } else { 1 })
        .sum();
    ((10 - sum % 10) % 10) as u8
}

/// Why a text is not a GTIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GtinError {
    /// Another number of digits than a GTIN can have.
    #[error("a GTIN has 8, 12, 13 or 14 digits; this has {found} characters")]
    Length {
        /// How many characters there were.
        found: usize,
    },
    /// Not 14 digits where only those will do.
    #[error("a GTIN in a link has 14 digits, with zeros in front if need be; this has {found} characters")]
    Length14 {
        /// How many characters there were.
        found: usize,
    },
    /// Something that is not a digit.
    #[error("a GTIN has digits only; character {position} is none")]
    Character {
        /// Where it stands, from 1.
        position: usize,
    },
    /// Zeros alone, which no trade item has, though the check digit would agree.
    #[error("a GTIN cannot be all zeros")]
    Zero,
    /// The last digit does not fit the others: most often a typing mistake in any of them.
    #[error(
        "the check digit of this GTIN is wrong: with these digits the last one would be {expected}, not {found}; \
         compare all of them with the original"
    )]
    CheckDigit {
        /// What the other digits ask for.
        expected: u8,
        /// What stood there.
        found: u8,
    },
}

impl fmt::Display for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Gtin {
    type Err = GtinError;

    fn from_str(text: &str) -> Result<Self, GtinError> {
        Self::parse(text)
    }
}

impl Serialize for Gtin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Gtin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Gtin;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a GTIN as a string of 8, 12, 13 or 14 digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Gtin, E> {
                // The words of `mintmark_ids::refused`, which this crate does not know.
                Gtin::parse(text).map_err(|error| {
                    E::custom(format_args!("invalid value: another form, expected the right one: {error}"))
                })
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parse_pads_every_length_to_fourteen() {
        // 09506000134352 is GS1's own example item.
        for (text, padded) in [
            ("96385074", "00000096385074"),
            ("036000291452", "00036000291452"),
            ("5901234123457", "05901234123457"),
            ("09506000134352", "09506000134352"),
            ("10614141000415", "10614141000415"),
        ] {
            let gtin = Gtin::parse(text).unwrap();
            assert_eq!(gtin.as_str(), padded);
            assert_eq!(gtin.to_string(), padded);
            assert_eq!(Gtin::parse14(padded), Ok(gtin));
        }
    }

    #[test]
    fn parse_says_which_check_digit_was_expected() {
        let error = Gtin::parse("09506000134353").unwrap_err();
        assert_eq!(error, GtinError::CheckDigit { expected: 2, found: 3 });
        assert!(error.to_string().contains("would be 2, not 3"));
    }

    #[test]
    fn parse_refuses_what_is_no_gtin() {
        for (text, error) in [
            ("", GtinError::Length { found: 0 }),
            ("123456789", GtinError::Length { found: 9 }),
            ("095060001343521", GtinError::Length { found: 15 }),
            ("0950600013435x", GtinError::Character { position: 14 }),
            ("+9506000134352", GtinError::Character { position: 1 }),
            (" 9506000134352", GtinError::Character { position: 1 }),
            ("٩٦٣٨٥٠٧", GtinError::Character { position: 1 }),
            ("00000000", GtinError::Zero),
            ("00000000000000", GtinError::Zero),
        ] {
            assert_eq!(Gtin::parse(text), Err(error), "{text:?}");
        }
        assert_eq!(Gtin::parse14("96385074"), Err(GtinError::Length14 { found: 8 }));
    }

    #[test]
    fn serde_is_the_fourteen_digits() {
        let gtin: Gtin = serde_json::from_str("\"96385074\"").unwrap();
        assert_eq!(serde_json::to_string(&gtin).unwrap(), "\"00000096385074\"");
        assert!(serde_json::from_str::<Gtin>("96385074").is_err());
        assert!(serde_json::from_str::<Gtin>("\"96385075\"").is_err());
    }

    proptest! {
        #[test]
        fn parse_accepts_exactly_one_check_digit(digits in "[1-9][0-9]{12}") {
            let accepted = (0..10).filter(|check| Gtin::parse(&format!("{digits}{check}")).is_ok()).count();
            prop_assert_eq!(accepted, 1);
        }

        #[test]
        fn parse_notices_every_single_wrong_digit(digits in "[1-9][0-9]{12}", at in 0usize..14, by in 1u8..10) {
            let check = (0..10).find(|check| Gtin::parse(&format!("{digits}{check}")).is_ok()).unwrap();
            let mut text = format!("{digits}{check}").into_bytes();
            text[at] = b'0' + (text[at] - b'0' + by) % 10;
            let text = String::from_utf8(text).unwrap();
            prop_assert!(Gtin::parse(&text).is_err());
        }
    }
}
