use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::IdError;

/// A tenant, by the slug that an operator chose for it: 3 to 63 characters of `a-z`, `0-9` and hyphen.
///
/// The same characters stand in Redis keys, object paths and token claims, so none of them needs escaping anywhere.
/// A clone shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// Shortest slug, in characters.
    pub const MIN_LEN: usize = 3;

    /// Longest slug, in characters: the length of a DNS label.
    pub const MAX_LEN: usize = 63;

    /// Reads a slug; nothing is trimmed or folded.
    ///
    /// # Errors
    /// [`IdError::Tenant`] when a character or the length is not allowed.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (Self::MIN_LEN..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(IdError::Tenant)
        }
    }

    /// The slug.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for TenantId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

impl AsRef<str> for TenantId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A map keyed by tenant can be asked with a `&str`: equality, order and hash are those of the text.
impl Borrow<str> for TenantId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for TenantId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TenantId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = TenantId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a tenant id, 3 to 63 characters of a-z, 0-9 and hyphen")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TenantId, E> {
                TenantId::parse(text).map_err(crate::refused)
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
    fn parse_accepts_the_shortest_and_the_longest_slug() {
        for text in ["abc", "a-1", "ppos-production-worker", &"x".repeat(63)] {
            let tenant = TenantId::parse(text).unwrap();
            assert_eq!(tenant.as_str(), text);
            assert_eq!(tenant.to_string(), text);
            assert_eq!(format!("{tenant:?}"), text);
        }
    }

    #[test]
    fn parse_refuses_other_lengths_and_characters() {
        for text in
            ["", "ab", &"x".repeat(64), "Acme", "acme_1", "acme 1", " acme", "acme:", "acmé", "a/b", "a\0b"]
        {
            assert_eq!(TenantId::parse(text), Err(IdError::Tenant), "{text:?}");
        }
    }

    #[test]
    fn deserialize_checks_the_slug() {
        let tenant: TenantId = serde_json::from_str("\"acme\"").unwrap();
        assert_eq!(serde_json::to_string(&tenant).unwrap(), "\"acme\"");
        assert!(serde_json::from_str::<TenantId>("\"Acme\"").is_err());
        assert!(serde_json::from_str::<TenantId>("null").is_err());
    }

    proptest! {
        #[test]
        fn parse_accepts_every_slug(text in "[a-z0-9-]{3,63}") {
            let tenant = TenantId::parse(&text).unwrap();
            prop_assert_eq!(tenant.as_str(), text);
        }
    }
}
