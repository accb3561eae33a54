//! The names that stand in Redis keys and metrics: no character of theirs can end one part and begin another, and none is a
//! credential.

use std::fmt;

use mintmark_auth::{control, looks_like_api_key};
use mintmark_fault::Fault;
use mintmark_ids::TenantId;

/// What shares a budget: 1 to 64 of `a-z`, `0-9`, `.`, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace(String);

/// The name of an owner or of a key: 1 to 128 of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`, and no credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// Whose tenant bucket is charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A tenant's.
    Tenant(TenantId),
    /// Somebody's without a tenant. Its underscore keeps it apart from every tenant.
    Stranger(Name),
}

impl Namespace {
    const MAX_LEN: usize = 64;

    /// Reads one.
    ///
    /// # Errors
    /// 400 `NAME_INVALID` when a character or the length is not allowed.
    pub fn parse(text: String) -> Result<Self, Fault> {
        let allowed = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
        };
        if (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text));
        }
        Err(refused("namespace", "a namespace is 1 to 64 of a-z, 0-9, '.', '_' and '-'"))
    }
}

impl Name {
    const MAX_LEN: usize = 128;

    /// Reads the `field` of a request.
    ///
    /// # Errors
    /// 400 `NAME_INVALID` when a character or the length is not allowed, or the text is itself what it should only name.
    pub fn parse(field: &'static str, text: String) -> Result<Self, Fault> {
        if is_credential(&text) {
            return Err(refused(
                field,
                "a credential is no name: send an API key's id, or another one's hash",
            ));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text));
        }
        Err(refused(field, "a name is 1 to 128 of A-Z, a-z, 0-9, '.', '_' and '-'"))
    }

    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Owner {
    /// Reads one.
    ///
    /// # Errors
    /// 400 `NAME_INVALID` when it is neither a tenant id nor a name with an underscore.
    pub fn parse(text: String) -> Result<Self, Fault> {
        if let Ok(tenant) = TenantId::parse(&text) {
            return Ok(Self::Tenant(tenant));
        }
        match Name::parse("owner", text)? {
            name if name.as_str().contains('_') => Ok(Self::Stranger(name)),
            _ => Err(refused(
                "owner",
                "an owner is a tenant id, or a name with '_' for somebody without a tenant",
            )),
        }
    }
}

/// A key, a control token, or something in the form of a JWT.
fn is_credential(text: &str) -> bool {
    looks_like_api_key(text)
        || control::is_carried_by("", text.as_bytes())
        || text.starts_with("eyJ") && text.bytes().filter(|&byte| byte == b'.').count() == 2
}

fn refused(field: &'static str, sentence: &'static str) -> Fault {
    // The text is not repeated: a confused caller may have sent a credential.
    Fault::invalid("NAME_INVALID", field, sentence)
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(tenant) => tenant.fmt(f),
            Self::Stranger(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use mintmark_auth::{IssuedKey, KeyEnvironment};

    use super::*;

    #[test]
    fn parse_refuses_what_could_reach_another_bucket() {
        let long = "x".repeat(129);
        for text in ["", "a:b", "a b", "a\n", "a*", "{a}", "a/b", "é", "a\0", &long] {
            let fault = Name::parse("key", text.to_owned()).unwrap_err();
            assert_eq!((fault.code(), fault.field_name()), ("NAME_INVALID", Some("key")), "{text:?}");
            assert!(text.is_empty() || !fault.message().contains(text), "{text:?} was repeated");
            assert!(Namespace::parse(text.to_owned()).is_err(), "{text:?}");
            assert!(Owner::parse(text.to_owned()).is_err(), "{text:?}");
        }
        assert!(Namespace::parse("Control".to_owned()).is_err());
        assert!(Namespace::parse("x".repeat(65)).is_err());
        assert!(Namespace::parse("control-plane".to_owned()).is_ok());
        assert!(Name::parse("key", "key_01HZX".to_owned()).is_ok());
    }

    #[test]
    fn parse_of_a_credential_is_refused_and_repeats_nothing() {
        let key = IssuedKey::generate(KeyEnvironment::Test);
        let control = format!("mmct_{}", "A".repeat(43));
        for secret in [key.expose(), &control, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"] {
            for parsed in [Name::parse("key", secret.to_owned()).err(), Owner::parse(secret.to_owned()).err()]
            {
                let fault = parsed.unwrap();
                assert_eq!(fault.code(), "NAME_INVALID");
                assert!(!fault.message().contains(secret));
            }
        }
    }

    #[test]
    fn parse_of_an_owner_tells_tenants_from_strangers() {
        let stranger = Owner::parse("sha256_ba7816bf8f01cfea414140de5dae2223".to_owned()).unwrap();
        assert!(matches!(stranger, Owner::Stranger(_)));
        assert!(matches!(Owner::parse("net_203.0.113.0_24".to_owned()), Ok(Owner::Stranger(_))));
        assert_eq!(Owner::parse("acme".to_owned()).unwrap(), Owner::Tenant(TenantId::parse("acme").unwrap()));
        assert!(Owner::parse("Acme".to_owned()).is_err(), "neither");
    }
}
