//! The id of a request: ours, or the caller's when it is sane.

use std::cell::Cell;
use std::future::{Ready, ready};
use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use mintmark_auth::API_KEY_PREFIX;
use mintmark_fault::Fault;
use uuid::{Builder, Uuid};

use super::X_REQUEST_ID;
use crate::Problem;

/// Longest id that is taken from a caller, in characters.
const MAX_LENGTH: usize = 128;

/// The id of a request: at most 128 letters, digits, dots, hyphens and underscores. An extractor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The caller's `X-Request-Id` when it is sane, else a new one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
        let text = given.filter(|id| is_sane(id)).and_then(|id| HeaderValue::from_str(id).ok());
        Self(text.unwrap_or_else(fresh))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only text ever comes in.
        self.0.to_str().unwrap_or_default()
    }

    pub(super) fn header_value(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// A new id in the form of a UUIDv7. It tells requests apart and keeps no secret: the random part is a keyed hash of a
/// counter, with keys of this thread, so that a request does not ask the kernel for randomness.
fn fresh() -> HeaderValue {
    thread_local! {
        static DRAWN: (RandomState, Cell<u64>) = (RandomState::new(), Cell::new(0));
    }
    let mut random = [0; 10];
    DRAWN.with(|(keys, drawn)| {
        let draw = drawn.get();
        drawn.set(draw.wrapping_add(1));
        random[..8].copy_from_slice(&keys.hash_one((draw, 0_u8)).to_le_bytes());
        random[8..].copy_from_slice(&keys.hash_one((draw, 1_u8)).to_le_bytes()[..2]);
    });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(now.as_millis()).unwrap_or_default();
    let id = Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    let mut text = Uuid::encode_buffer();
    // Letters and digits are a legal header value.
    HeaderValue::from_str(id.simple().encode_lower(&mut text)).unwrap_or(HeaderValue::from_static(""))
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
    use std::collections::HashSet;

    use super::{Uuid, fresh, is_sane};

    #[test]
    fn fresh_ids_are_different_in_all_threads_and_grow_with_time() {
        let draw = || (0..500).map(|_| fresh().to_str().unwrap().to_owned()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(draw)).collect();
        let ids: HashSet<String> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(ids.len(), 2_000);
        assert!(ids.iter().all(|id| id.parse::<Uuid>().unwrap().get_version_num() == 7 && is_sane(id)));
        let earlier = fresh();
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(fresh() > earlier);
    }

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
