//! Whether a confirmation comes from our own page, as far as the browser says where it comes from.
//!
//! There is no session to ride on and nothing that a stranger with the code could not do himself; but nobody else's page
//! shall make a visitor's browser activate a code. Programs send none of these headers and are let through.

use actix_web::http::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use mintmark_fault::{Fault, Kind, Result};

/// Refuses what a browser says comes from elsewhere.
///
/// `Sec-Fetch-Site` cannot be set by a page and must be `same-origin`; `Origin` must name our own host. Our pages carry
/// `Referrer-Policy: no-referrer`, under which browsers send their forms with `Origin: null`: that says nothing.
///
/// # Errors
/// 403 `CROSS_SITE`.
pub fn check(headers: &HeaderMap) -> Result<()> {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let origin = headers.get(ORIGIN).map(HeaderValue::as_bytes);
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let own_site = site.is_none_or(|site| site == b"same-origin");
    let own_origin = match origin {
        None | Some(b"null") => true,
        Some(origin) => std::str::from_utf8(origin).is_ok_and(|origin| is_of(origin, host)),
    };
    if own_site && own_origin {
        return Ok(());
    }
    let sentence = "a code is confirmed on its own page alone: open the code and press the button there";
    Err(Fault::new(Kind::Forbidden, "CROSS_SITE", sentence))
}

/// Whether an origin is of this host; a proxy in front may have ended TLS, so either scheme will do.
fn is_of(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |text: &str| text.strip_suffix(default_port).unwrap_or(text).to_ascii_lowercase();
    !host.is_empty() && bare(authority) == bare(host)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    fn passes(pairs: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        check(&headers).is_ok()
    }

    #[test]
    fn check_lets_our_own_page_and_programs_through() {
        for headers in [
            &[("host", "id.example")][..],
            &[("host", "id.example"), ("sec-fetch-site", "same-origin"), ("origin", "https://id.example")],
            &[("host", "id.example"), ("sec-fetch-site", "same-origin"), ("origin", "null")],
            &[("host", "ID.example:443"), ("origin", "https://id.example")],
            &[("host", "127.0.0.1:8081"), ("origin", "http://127.0.0.1:8081")],
        ] {
            assert!(passes(headers), "{headers:?}");
        }
    }

    #[test]
    fn check_refuses_other_sites() {
        for headers in [
            &[("host", "id.example"), ("sec-fetch-site", "cross-site")][..],
            &[("host", "id.example"), ("sec-fetch-site", "same-site")],
            &[("host", "id.example"), ("sec-fetch-site", "none")],
            &[("host", "id.example"), ("sec-fetch-site", "cross-site"), ("origin", "https://id.example")],
            &[("host", "id.example"), ("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
            &[("host", "id.example"), ("origin", "https://id.example.evil.example")],
            &[("host", "id.example"), ("origin", "https://id.example:8443")],
            &[("host", "id.example:80"), ("origin", "https://id.example")],
            &[("host", "id.example"), ("origin", "ftp://id.example")],
            &[("host", "id.example"), ("origin", "")],
            &[("origin", "https://")],
        ] {
            assert!(!passes(headers), "{headers:?}");
        }
    }
}
