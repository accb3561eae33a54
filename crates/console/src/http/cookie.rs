//! The cookie that a pasted token lives in.

use actix_web::HttpRequest;
use actix_web::http::header::{COOKIE, HeaderValue};
use chrono::{DateTime, Utc};
use mintmark_fault::{Fault, Result};
use mintmark_service::config::Secret;

/// Longest value that is looked at, in bytes.
const LONGEST: usize = 4096;

/// How cookies are written.
#[derive(Clone, Copy)]
pub struct Cookies {
    /// Over TLS alone.
    pub secure: bool,
}

impl Cookies {
    /// With `__Host-` no other host and no plain connection can have set it; without TLS the prefix is not allowed.
    fn name(self) -> &'static str {
        if self.secure { "__Host-mintmark_preflight" } else { "mintmark_preflight" }
    }

    /// The `Set-Cookie` that keeps a verified token until it ends.
    ///
    /// # Errors
    /// When it cannot stand in a header: no verified token is such.
    pub fn keep(self, token: &Secret, until: DateTime<Utc>) -> Result<HeaderValue> {
        let mut value = self.header(token.expose(), (until - Utc::now()).num_seconds().max(0))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// The `Set-Cookie` that forgets it.
    ///
    /// # Errors
    /// Never, in truth: names are constants.
    pub fn forget(self) -> Result<HeaderValue> {
        self.header("", 0)
    }

    fn header(self, value: &str, seconds: i64) -> Result<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let name = self.name();
        let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
        HeaderValue::try_from(text).map_err(Fault::internal)
    }

    /// The token that the browser kept.
    pub fn read(self, request: &HttpRequest) -> Option<Secret> {
        let lines = request.headers().get_all(COOKIE).filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == self.name())?;
        (!value.is_empty() && value.len() <= LONGEST).then(|| Secret::new(value.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn keep_writes_a_cookie_that_scripts_and_other_sites_cannot_use() {
        let token = Secret::new("a.b.c".to_owned());
        let until = Utc::now() + chrono::TimeDelta::seconds(120);
        let plain = Cookies { secure: false }.keep(&token, until).unwrap();
        let plain = plain.to_str().unwrap();
        assert!(plain.starts_with("mintmark_preflight=a.b.c; Path=/; Max-Age=1"), "{plain}");
        assert!(plain.ends_with("; HttpOnly; SameSite=Strict"), "{plain}");
        let secure = Cookies { secure: true }.keep(&token, until).unwrap();
        let secure = secure.to_str().unwrap();
        assert!(
            secure.starts_with("__Host-mintmark_preflight=a.b.c;") && secure.ends_with("; Secure"),
            "{secure}"
        );
    }

    #[test]
    fn read_takes_the_cookie_of_this_name_alone() {
        let cookies = Cookies { secure: false };
        let read = |line: &'static str| {
            let request = TestRequest::default().insert_header((COOKIE, line)).to_http_request();
            cookies.read(&request).map(|secret| secret.expose().to_owned())
        };
        assert_eq!(read("x=1; mintmark_preflight=a.b.c; y=2"), Some("a.b.c".to_owned()));
        for none in
            ["", "x=1", "mintmark_preflight=", "__Host-mintmark_preflight=a.b.c", "mintmark_preflight"]
        {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
