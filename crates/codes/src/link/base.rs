use std::fmt;
use std::str::FromStr;

/// Longest host name (RFC 1035, 2.3.4), in characters.
const MAX_HOST: usize = 253;

/// Longest label of a host name (RFC 1035, 2.3.4), in characters.
const MAX_LABEL: usize = 63;

/// Where links point: scheme, host and perhaps a port, as in `https://id.example` or `http://127.0.0.1:8081`.
///
/// Its upper-cased form fits the QR alphanumeric set, because a host name has letters, digits, hyphens and dots only.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Base {
    lower: Box<str>,
    upper: Box<str>,
}

impl Base {
    /// Reads `http` or `https`, a host name or IPv4 address, and an optional port; one `/` at the end is forgiven.
    ///
    /// # Errors
    /// [`BaseError`] says which part is wrong. A path, query, user or IPv6 address is refused: a symbol could not
    /// hold it, or would become larger.
    pub fn parse(text: &str) -> Result<Self, BaseError> {
        let text = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
        let authority = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .ok_or(BaseError::Scheme)?;
        if authority.contains(['/', '?', '#']) {
            return Err(BaseError::Path);
        }
        if authority.contains(['@', '[']) {
            return Err(BaseError::Host);
        }
        let host = match authority.split_once(':') {
            Some((host, port)) if is_port(port) => host,
            Some(_) => return Err(BaseError::Port),
            None => authority,
        };
        if !is_host(host) {
            return Err(BaseError::Host);
        }
        Ok(Self { upper: text.to_ascii_uppercase().into(), lower: text.into() })
    }

    /// The base in lower case, without a `/` at the end.
    pub fn as_str(&self) -> &str {
        &self.lower
    }

    /// The base in upper case, for QR symbols.
    pub(super) fn upper_case(&self) -> &str {
        &self.upper
    }
}

fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.len() <= MAX_HOST && host.split('.').all(is_label)
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|number| number > 0)
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.lower)
    }
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.lower)
    }
}

impl FromStr for Base {
    type Err = BaseError;

    fn from_str(text: &str) -> Result<Self, BaseError> {
        Self::parse(text)
    }
}

/// Why a text cannot be the base of links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BaseError {
    /// Neither `http://` nor `https://`.
    #[error("the base of links starts with https:// (or http://), as in https://id.example")]
    Scheme,
    /// Something after the host and port.
    #[error("the base of links has no path, query or fragment, as in https://id.example")]
    Path,
    /// A port that is not 1 to 65535.
    #[error("the port of the base of links is a number from 1 to 65535, as in http://127.0.0.1:8081")]
    Port,
    /// A host that a QR symbol in alphanumeric mode cannot hold, or that is none.
    #[error(
        "the host of the base of links is a name of letters, digits, hyphens and dots (an international one in its \
         xn-- form) or an IPv4 address, as in https://id.example"
    )]
    Host,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_accepts_scheme_host_and_port() {
        for (text, base) in [
            ("https://id.example", "https://id.example"),
            ("HTTPS://Id.Example/", "https://id.example"),
            ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
            ("http://localhost:80/", "http://localhost:80"),
            ("https://xn--nxasmq6b.example", "https://xn--nxasmq6b.example"),
        ] {
            let parsed = Base::parse(text).unwrap();
            assert_eq!(parsed.as_str(), base);
            assert_eq!(parsed.upper_case(), base.to_uppercase());
        }
    }

    #[test]
    fn parse_refuses_everything_else() {
        for (text, error) in [
            ("", BaseError::Scheme),
            ("id.example", BaseError::Scheme),
            ("ftp://id.example", BaseError::Scheme),
            ("https://id.example/a", BaseError::Path),
            ("https://id.example//", BaseError::Path),
            ("https://id.example?x", BaseError::Path),
            ("https://id.example#x", BaseError::Path),
            ("https://id.example:", BaseError::Port),
            ("https://id.example:0", BaseError::Port),
            ("https://id.example:65536", BaseError::Port),
            ("https://id.example:+80", BaseError::Port),
            ("https://", BaseError::Scheme),
            ("https://:8081", BaseError::Host),
            ("https://user:1@id.example", BaseError::Host),
            ("https://id_1.example", BaseError::Host),
            ("https://-id.example", BaseError::Host),
            ("https://id..example", BaseError::Host),
            ("https://[::1]:80", BaseError::Host),
            ("https://идент.example", BaseError::Host),
            ("https://id.example\n", BaseError::Host),
            (&format!("https://{}", "a.".repeat(130) + "a"), BaseError::Host),
        ] {
            assert_eq!(Base::parse(text), Err(error), "{text:?}");
        }
    }
}
