//! Connection URLs for sockets.

use std::fmt::Write as _;
use std::path::Path;

/// `postgres://user[:password]@/database?host=/folder`, percent-encoded: the form that libpq and tokio-postgres both read.
#[must_use]
pub fn unix_url(user: &str, password: Option<&str>, database: &str, socket_dir: &Path) -> String {
    let mut url = format!("postgres://{}", encoded(user));
    if let Some(password) = password {
        let _ = write!(url, ":{}", encoded(password));
    }
    let _ = write!(url, "@/{}?host={}", encoded(database), encoded(&socket_dir.to_string_lossy()));
    url
}

/// RFC 3986: everything but the unreserved characters.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::unix_url;
    use std::path::Path;

    #[test]
    fn url_of_a_socket_is_read_by_the_driver() {
        let url = unix_url("app", Some("a/b@c:d%"), "my db", Path::new("/tmp/a b"));
        let config: tokio_postgres::Config = url.parse().unwrap();
        assert_eq!(config.get_user(), Some("app"));
        assert_eq!(config.get_password(), Some(&b"a/b@c:d%"[..]));
        assert_eq!(config.get_dbname(), Some("my db"));
        assert_eq!(config.get_hosts(), [tokio_postgres::config::Host::Unix("/tmp/a b".into())]);
    }
}
