//! The id of a request: ours, or the caller's when it is sane.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use mintmark_auth::API_KEY_PREFIX;
use mintmark_fault::Fault;
use uuid::Uuid;

use super::X_REQUEST_ID;
use crate::Problem;

/// Longest id that is taken from a caller, in characters.
const MAX_LENGTH: usize = 128;

/// The id of a request: at most 128 letters, digits, dots, hyphens and underscores. An extractor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The caller's `X-Request-Id` when it is sane, else a new one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
        match given.filter(|id| is_sane(id)) {
            Some(id) => Self(id.into()),
            None => Self(Uuid::now_v7().simple().to_string().into()),
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn header_value(&self) -> HeaderValue {
        // Every sane id is a legal header value.
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static(""))
    }
}

// The id is written to logs and sent back: nothing that could mean something there, and no API key that somebody put into
// the wrong header.
fn is_sane(id: &str) -> bool {
    (1..=MAX_LENGTH).contains(&id.len())
        && !id.contains(API_KEY_PREFIX)
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

impl FromRequest for RequestId {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.extensions().get::<Self>().cloned();
        ready(id.ok_or_else(|| Fault::internal("the route is served outside the edge").into()))
    }
}

#[cfg(test)]
mod tests {
    use super::is_sane;

    #[test]
    fn is_sane_refuses_what_could_mean_something_in_a_log() {
        assert!(is_sane("0192-af.X_y"));
        assert!(!is_sane(""));
        assert!(!is_sane("a b"));
        assert!(!is_sane("mmk_test_01h45ytscbebyvny4gc8cr8ma2_0123"));
        assert!(!is_sane("a\"b"));
        assert!(!is_sane(&"a".repeat(129)));
    }
}
