//! GS1 Digital Link URIs: what a symbol holds and a phone opens.
//!
//! `https://id.example/01/{gtin14}/21/{code}` is the standard form (GS1 Digital Link Standard: URI Syntax; AI 01 is
//! the GTIN, AI 21 the serial number), `https://id.example/{code}` a short one. Nothing in either needs escaping.

mod base;

pub use base::{Base, BaseError};

use crate::code::{Code, CodeError};
use crate::gtin::{Gtin, GtinError};

/// What a Digital Link URI of ours identifies: one unit of a trade item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// The trade item (AI 01).
    pub gtin: Gtin,
    /// The unit's code, in the place of its serial number (AI 21).
    pub code: Code,
}

impl Link {
    /// Reads the path of a URI, `/01/{gtin14}/21/{code}`: the GTIN strictly, the code leniently.
    ///
    /// # Errors
    /// [`LinkError`] says which part is wrong.
    pub fn from_path(path: &str) -> Result<Self, LinkError> {
        let (gtin, code) =
            path.strip_prefix("/01/").and_then(|rest| rest.split_once("/21/")).ok_or(LinkError::Shape)?;
        Ok(Self { gtin: Gtin::parse14(gtin)?, code: Code::parse(code)? })
    }
}

/// Why a path does not identify a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Other segments than those of AI 01 and AI 21.
    #[error("a unit's path is /01/, a GTIN of 14 digits, /21/ and a code")]
    Shape,
    /// The segment after `/01/`.
    #[error(transparent)]
    Gtin(#[from] GtinError),
    /// The segment after `/21/`.
    #[error(transparent)]
    Code(#[from] CodeError),
}

/// The URI of a unit for people and programs: `https://id.example/01/{gtin14}/21/{code}`.
pub fn unit_uri(base: &Base, gtin: &Gtin, code: &Code) -> String {
    [base.as_str(), "/01/", gtin.as_str(), "/21/", code.as_str()].concat()
}

/// The same URI for a QR symbol: scheme and host in upper case, which RFC 3986 (6.2.2.1) makes equivalent.
///
/// Every character is in the QR alphanumeric set, which takes 5.5 bits a character where bytes take 8.
pub fn unit_uri_qr(base: &Base, gtin: &Gtin, code: &Code) -> String {
    let uri = [base.upper_case(), "/01/", gtin.as_str(), "/21/", code.as_str()].concat();
    debug_assert!(is_qr_alphanumeric(&uri), "Base, Gtin and Code admit no other characters");
    uri
}

/// The short URI of a unit: `https://id.example/{code}`.
pub fn short_uri(base: &Base, code: &Code) -> String {
    [base.as_str(), "/", code.as_str()].concat()
}

/// Whether a text fits the alphanumeric mode of QR symbols (ISO/IEC 18004, 7.3.4).
pub fn is_qr_alphanumeric(text: &str) -> bool {
    let in_set =
        |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase() || b" $%*+-./:".contains(&byte);
    text.bytes().all(in_set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::Partition;
    use proptest::prelude::*;

    fn sample() -> (Base, Gtin, Code) {
        (
            Base::parse("https://id.example").unwrap(),
            Gtin::parse("09506000134352").unwrap(),
            Code::parse("3FZK9Q7M2XW4T8B6NRVA").unwrap(),
        )
    }

    #[test]
    fn uris_of_a_known_unit_are_pinned() {
        let (base, gtin, code) = sample();
        let path = "/01/09506000134352/21/3FZK9Q7M2XW4T8B6NRVA";
        assert_eq!(unit_uri(&base, &gtin, &code), format!("https://id.example{path}"));
        assert_eq!(unit_uri_qr(&base, &gtin, &code), format!("HTTPS://ID.EXAMPLE{path}"));
        assert_eq!(short_uri(&base, &code), "https://id.example/3FZK9Q7M2XW4T8B6NRVA");
        assert_eq!(Link::from_path(path), Ok(Link { gtin, code }));
    }

    #[test]
    fn from_path_says_which_part_is_wrong() {
        for (path, error) in [
            ("", LinkError::Shape),
            ("/3FZK9Q7M2XW4T8B6NRVA", LinkError::Shape),
            ("/01/09506000134352", LinkError::Shape),
            ("/01/09506000134352/10/ABC/21/3FZK9Q7M2XW4T8B6NRVA", GtinError::Length14 { found: 21 }.into()),
            ("/01/9506000134352/21/3FZK9Q7M2XW4T8B6NRVA", GtinError::Length14 { found: 13 }.into()),
            ("/01/09506000134352/21/", CodeError::Length { found: 0 }.into()),
            ("/01/09506000134352/21/3FZK9Q7M2XW4T8B6NRVA/", CodeError::Character { position: 21 }.into()),
        ] {
            assert_eq!(Link::from_path(path), Err(error), "{path:?}");
        }
    }

    #[test]
    fn alphanumeric_set_is_the_standard_one() {
        let set: Vec<char> =
            (0u8..128).map(char::from).filter(|c| is_qr_alphanumeric(&c.to_string())).collect();
        assert_eq!(set.len(), 45);
        assert!(is_qr_alphanumeric("HTTPS://ID.EXAMPLE:8081/01 $%*+-"));
        assert!(!is_qr_alphanumeric("https://"));
        assert!(!is_qr_alphanumeric("HTTPS://ID_1"));
    }

    proptest! {
        #[test]
        fn qr_uri_is_alphanumeric_and_equivalent(
            host in "[a-zA-Z0-9]{1,20}(\\.[a-zA-Z0-9]{1,10}){0,2}(:[1-9][0-9]{0,3})?",
            bits in 0u128..1 << 90,
        ) {
            let (_, gtin, _) = sample();
            let code = Code::from_parts(Partition::new(7).unwrap(), bits);
            for scheme in ["https", "http"] {
                let base = Base::parse(&format!("{scheme}://{host}")).unwrap();
                let qr = unit_uri_qr(&base, &gtin, &code);
                prop_assert!(is_qr_alphanumeric(&qr));
                let plain = unit_uri(&base, &gtin, &code);
                prop_assert!(qr.eq_ignore_ascii_case(&plain));
                let path = plain.strip_prefix(base.as_str()).unwrap();
                prop_assert_eq!(&qr[base.as_str().len()..], path);
                prop_assert_eq!(Link::from_path(path), Ok(Link { gtin, code }));
            }
        }

        #[test]
        fn from_path_never_panics(path in "(/01/)?\\PC{0,20}(/21/)?\\PC{0,30}") {
            if let Ok(link) = Link::from_path(&path) {
                prop_assert!(path.contains(link.gtin.as_str()));
            }
        }
    }
}
