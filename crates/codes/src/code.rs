use std::fmt;

use crate::alphabet;
use crate::partition::Partition;

/// A unit's code in its canonical form: 20 upper-case Crockford base32 characters, two for the partition and 18 for
/// 90 unguessable bits.
///
/// Whoever holds one may print or scan it, so it stays out of logs: `Debug` hides it, and there is neither `Display`
/// nor serde. [`as_str`](Self::as_str) and [`grouped`](Self::grouped) are the deliberate ways out.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code([u8; Code::LEN]);

impl Code {
    /// Characters of a code: the most that GS1 AI 21 holds (GS1 General Specifications, 3.5.2).
    pub const LEN: usize = 20;

    /// Unguessable bits of a code.
    pub const RANDOM_BITS: u32 = 90;

    /// Longest input that [`parse`](Self::parse) looks at, in bytes: a code with a separator after each character
    /// and room to spare.
    pub const MAX_INPUT: usize = 64;

    /// Reads a code the way people write it: either case, hyphens and spaces anywhere, O for 0, I and L for 1.
    ///
    /// # Errors
    /// [`CodeError`] says what is wrong without repeating the input.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        if text.len() > Self::MAX_INPUT {
            return Err(CodeError::TooLong);
        }
        let mut characters = [0; Self::LEN];
        let mut found = 0;
        for (index, byte) in text.bytes().enumerate() {
            if matches!(byte, b'-' | b' ') {
                continue;
            }
            let character = alphabet::canonical(byte).ok_or(CodeError::Character { position: index + 1 })?;
            if let Some(slot) = characters.get_mut(found) {
                *slot = character;
            }
            found += 1;
        }
        if found == Self::LEN { Ok(Self(characters)) } else { Err(CodeError::Length { found }) }
    }

    /// The code of a partition and the low 90 bits of `bits`; higher bits are ignored.
    pub fn from_parts(partition: Partition, bits: u128) -> Self {
        let mut characters = [0; Self::LEN];
        characters[..2].copy_from_slice(&partition.characters());
        let mut rest = bits;
        for slot in characters[2..].iter_mut().rev() {
            *slot = alphabet::character(rest);
            rest >>= 5;
        }
        Self(characters)
    }

    /// The 20 characters, without separators. It is the code itself: not for logs.
    #[expect(clippy::expect_used, reason = "both constructors write characters of the ASCII alphabet only")]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("codes are ASCII")
    }

    /// The 20 characters as ASCII, for hashing.
    pub(crate) const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The partition that the code was published to.
    pub fn partition(&self) -> Partition {
        Partition::of(self.0[0], self.0[1])
    }

    /// The code as people read it, in five groups of four: `AB12-CD34-…`.
    pub fn grouped(&self) -> String {
        self.in_groups(|_, character| character)
    }

    /// The code as lists show it, first two and last four characters: `AB••-••••-••••-••••-WXYZ`.
    ///
    /// What is hidden is 70 bits, so nobody completes one by guessing.
    pub fn masked(&self) -> String {
        self.in_groups(|index, character| if (2..Self::LEN - 4).contains(&index) { '•' } else { character })
    }

    fn in_groups(&self, show: impl Fn(usize, char) -> char) -> String {
        let mut out = String::with_capacity(Self::LEN * '•'.len_utf8());
        for (index, &byte) in self.0.iter().enumerate() {
            if index > 0 && index % 4 == 0 {
                out.push('-');
            }
            out.push(show(index, char::from(byte)));
        }
        out
    }
}

/// Hides the code.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(masked)")
    }
}

/// Why a text is not a code. It never contains the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// More than [`Code::MAX_INPUT`] bytes.
    #[error("a code has 20 characters; this text is far longer")]
    TooLong,
    /// Another number of characters than 20, hyphens and spaces aside.
    #[error("a code has 20 characters, hyphens and spaces aside; this one has {found}")]
    Length {
        /// How many there were.
        found: usize,
    },
    /// A character that no code holds.
    #[error("character {position} is not one that codes use: digits and the letters A to Z without U")]
    Character {
        /// Where it stands, from 1, counting hyphens and spaces.
        position: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAMPLE: &str = "3FZK9Q7M2XW4T8B6NRVA";

    fn sample() -> Code {
        Code::parse(SAMPLE).unwrap()
    }

    #[test]
    fn parse_reads_every_way_that_people_write() {
        for text in [
            "3fzk9q7m2xw4t8b6nrva",
            "3FZK-9Q7M-2XW4-T8B6-NRVA",
            "3fzk 9q7m 2xw4 t8b6 nrva",
            " 3FZK9Q7M2XW4T8B6NRVA-",
            "3-F-Z-K-9-Q-7-M-2-X-W-4-T-8-B-6-N-R-V-A",
        ] {
            assert!(Code::parse(text).unwrap() == sample(), "{text:?}");
        }
        let look_alikes = Code::parse("oOiIlL00112233445566").unwrap();
        assert_eq!(look_alikes.as_str(), "00111100112233445566");
    }

    #[test]
    fn parse_refuses_what_is_no_code() {
        for (text, error) in [
            ("", CodeError::Length { found: 0 }),
            ("----", CodeError::Length { found: 0 }),
            ("3FZK9Q7M2XW4T8B6NRV", CodeError::Length { found: 19 }),
            ("3FZK9Q7M2XW4T8B6NRVAA", CodeError::Length { found: 21 }),
            ("3FZK-9U7M-2XW4-T8B6-NRVA", CodeError::Character { position: 7 }),
            ("3FZK/9Q7M2XW4T8B6NRVA", CodeError::Character { position: 5 }),
            ("3FZK\u{2011}9Q7M2XW4T8B6NRVA", CodeError::Character { position: 5 }),
            ("3FZK9Q7M2XW4T8B6NRV\0", CodeError::Character { position: 20 }),
            (&"-".repeat(65), CodeError::TooLong),
            (&"A".repeat(1 << 20), CodeError::TooLong),
        ] {
            assert_eq!(Code::parse(text).err(), Some(error), "{text:?}");
        }
    }

    #[test]
    fn parts_of_a_known_code_are_pinned() {
        let partition = Partition::new(111).unwrap();
        assert_eq!(sample().partition(), partition);
        let code = Code::from_parts(partition, 0x03f3_4dcf_4177_84d2_166a_e36a);
        assert_eq!(code.as_str(), SAMPLE);
        let high_bits_too = Code::from_parts(partition, u128::MAX << 90 | 0x03f3_4dcf_4177_84d2_166a_e36a);
        assert_eq!(high_bits_too.as_str(), SAMPLE);
    }

    #[test]
    fn grouped_and_masked_are_what_people_see() {
        assert_eq!(sample().grouped(), "3FZK-9Q7M-2XW4-T8B6-NRVA");
        assert_eq!(sample().masked(), "3F••-••••-••••-••••-NRVA");
    }

    #[test]
    fn debug_shows_nothing_of_the_code() {
        assert_eq!(format!("{:?}", Some(sample())), "Some(Code(masked))");
    }

    proptest! {
        #[test]
        fn parse_of_any_form_is_the_code(partition in 0u16..1024, bits in 0u128..1 << 90) {
            let partition = Partition::new(partition).unwrap();
            let code = Code::from_parts(partition, bits);
            prop_assert_eq!(code.partition(), partition);
            prop_assert!(Code::parse(code.as_str()) == Ok(code));
            prop_assert!(Code::parse(&code.grouped()) == Ok(code));
            prop_assert!(Code::parse(&code.as_str().to_lowercase()) == Ok(code));
        }

        #[test]
        fn from_parts_of_different_bits_differ(a in 0u128..1 << 90, bit in 0u32..90) {
            let partition = Partition::new(5).unwrap();
            prop_assert!(Code::from_parts(partition, a) != Code::from_parts(partition, a ^ 1 << bit));
        }

        #[test]
        fn parse_never_panics_and_gives_canonical_codes(text in "\\PC{0,70}") {
            if let Ok(code) = Code::parse(&text) {
                prop_assert!(Code::parse(code.as_str()) == Ok(code));
            }
        }
    }
}
