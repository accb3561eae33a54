//! Doing something once, however often it is asked for under the same key.
//!
//! The claim of the key, the work and the recorded answer are one transaction: work that fails leaves no claim, and an
//! answer that was given once is given again, word for word, for as long as the result exists. Callers authorise first:
//! a replay is for whoever may still ask.

use diesel_async::AsyncPgConnection;
use mintmark_db::TransactionBodyOnce;
use mintmark_fault::{Fault, Kind, Result};
use ring::digest::{SHA256, digest};
use serde_json::Value;

use crate::store::Mandate;
use crate::store::idempotency::{self as claims, Claim};

/// Characters in the longest key.
pub const MAX_KEY: usize = 255;

/// One request as its key identifies it: within tenant and actor, by method and concrete path.
#[derive(Clone, Debug)]
pub struct Request {
    method: &'static str,
    path: String,
    key: String,
    fingerprint: [u8; 32],
}

impl Request {
    /// For operations that demand a key. `header` is the raw value of `Idempotency-Key`; `fingerprint` the SHA-256 of the
    /// body's canonical form. 400 `IDEMPOTENCY_KEY_REQUIRED` or `IDEMPOTENCY_KEY_INVALID`.
    pub fn required(
        method: &'static str,
        path: String,
        header: Option<&[u8]>,
        fingerprint: [u8; 32],
    ) -> Result<Self> {
        Request::optional(method, path, header, fingerprint)?.ok_or_else(|| {
            Fault::new(
                Kind::InvalidInput,
                "IDEMPOTENCY_KEY_REQUIRED",
                "this request needs an Idempotency-Key header: a fresh random value for each thing to create, the same \
                 one when repeating a request",
            )
            .field("Idempotency-Key")
        })
    }

    /// For operations that may go without a key: `None` when there is none.
    pub fn optional(
        method: &'static str,
        path: String,
        header: Option<&[u8]>,
        fingerprint: [u8; 32],
    ) -> Result<Option<Self>> {
        let Some(header) = header else { return Ok(None) };
        let key = key(header)?;
        Ok(Some(Request { method, path, key, fingerprint }))
    }

    /// SHA-256 of the key alone, for work whose body is too large to be fingerprinted before it is done.
    pub fn key_sha256(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, self.key.as_bytes()).as_ref());
        hash
    }

    fn claim(&self) -> Claim<'_> {
        Claim { method: self.method, path: &self.path, key: &self.key, fingerprint: &self.fingerprint }
    }
}

fn key(header: &[u8]) -> Result<String> {
    let visible = (1..=MAX_KEY).contains(&header.len()) && header.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(header) {
        Ok(key) if visible => Ok(key.to_owned()),
        _ => Err(Fault::invalid(
            "IDEMPOTENCY_KEY_INVALID",
            "Idempotency-Key",
            format!("an Idempotency-Key is 1 to {MAX_KEY} visible ASCII characters without spaces"),
        )),
    }
}

/// An answer: made just now, or the recorded one.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; never holds a secret, because it is stored.
    pub body: Value,
    /// Whether it was recorded by an earlier request.
    pub replayed: bool,
}

impl Answer {
    /// An answer to work that was done just now.
    pub fn fresh(status: u16, body: Value) -> Self {
        Answer { status, body, replayed: false }
    }
}

/// Does `work` inside the caller's transaction, at most once for the request's key; without a request simply does it.
///
/// 422 `IDEMPOTENCY_KEY_REUSED` when the key came with another body before; 409 `IDEMPOTENCY_IN_PROGRESS` when another
/// request holds it for longer than two seconds.
pub async fn once<F>(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    request: Option<&Request>,
    work: F,
) -> Result<Answer>
where
    for<'r> F: AsyncFnOnce(&'r mut AsyncPgConnection) -> Result<Answer>
        + TransactionBodyOnce<&'r mut AsyncPgConnection, Result<Answer>, Fut: Send>
        + Send,
{
    let Some(request) = request else {
        return work(conn).await;
    };
    let claim = request.claim();
    if let Some(recorded) = claims::claim(conn, mandate, &claim).await? {
        if recorded.fingerprint != request.fingerprint {
            return Err(Fault::new(
                Kind::Unprocessable,
                "IDEMPOTENCY_KEY_REUSED",
                "this Idempotency-Key was used with another body before: use a fresh key for another request",
            )
            .field("Idempotency-Key"));
        }
        return Ok(Answer { status: recorded.status, body: recorded.body, replayed: true });
    }
    let answer = work(conn).await?;
    claims::answer(conn, mandate, &claim, answer.status, &answer.body).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_refuses_what_is_not_a_key() {
        let ask = |header: Option<&[u8]>| Request::required("POST", "/v1/x".to_owned(), header, [0; 32]);
        let code = |header| ask(header).unwrap_err().code().to_owned();
        assert_eq!(code(None), "IDEMPOTENCY_KEY_REQUIRED");
        let long = [b'a'; MAX_KEY + 1];
        for bad in [&b""[..], b"two words", b"tab\t", "ключ".as_bytes(), b"\xff", &long] {
            assert_eq!(code(Some(bad)), "IDEMPOTENCY_KEY_INVALID", "{bad:?}");
        }
        assert!(ask(Some(&long[..MAX_KEY])).is_ok());
        assert!(ask(Some(b"~!\"#8f14e45f-ceea")).is_ok());
    }
}
