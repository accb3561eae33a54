//! Countries and regions as small values.

use crate::app::network::Network;

/// What telemetry keeps of a visitor's whereabouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The block of addresses: /24 or /48.
    pub network: Network,
    /// The country, where it is known.
    pub country: Option<Country>,
    /// The part of the country, where the database knows it.
    pub region: Option<Region>,
}

/// A country: two letters of ISO 3166-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// Reads two upper-case letters; `ZZ`, which stands for nowhere, is none.
    pub fn parse(text: &str) -> Option<Self> {
        let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        (letters.iter().all(u8::is_ascii_uppercase) && letters != *b"ZZ").then_some(Country(letters))
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// A part of a country: what stands behind the hyphen in ISO 3166-2, one to three letters or digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    characters: [u8; 3],
    length: u8,
}

impl Region {
    /// Reads one to three upper-case letters or digits.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if !(1..=3).contains(&text.len()) || !text.bytes().all(allowed) {
            return None;
        }
        let mut characters = [0; 3];
        characters[..text.len()].copy_from_slice(text.as_bytes());
        Some(Region { characters, length: text.len() as u8 })
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.characters[..usize::from(self.length)]).unwrap_or_default()
    }
}
