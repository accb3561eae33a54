//! A body of any size, taken piece by piece.

use std::fmt;
use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use bytes::Bytes;
use futures::StreamExt;
use mintmark_fault::{Fault, Kind};

use super::{BodyLimit, check_length, too_large};
use crate::Problem;

/// The longest silence between two pieces: a sender that is slower holds a connection, and whatever it was opened for.
const SILENCE: Duration = Duration::from_secs(30);

/// A body that is not kept in memory: the handler takes it piece by piece, at its own pace. An extractor; 413 beyond the
/// row's own limit. Without one the edge sets none: the handler has a limit, and states it. Give the row a deadline that the
/// largest body can keep.
pub struct StreamBody {
    /// The header `Content-Type`; empty when there is none that can be read.
    pub content_type: String,
    /// What `Content-Length` says; absent where the body comes in chunks.
    pub length: Option<u64>,
    limit: Option<usize>,
    received: u64,
    payload: Payload,
}

impl fmt::Debug for StreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBody").field("length", &self.length).finish_non_exhaustive()
    }
}

impl FromRequest for StreamBody {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limit = request.extensions().get::<BodyLimit>().map(|limit| limit.0);
        if let Err(fault) = limit.map_or(Ok(()), |limit| check_length(request, limit)) {
            return ready(Err(fault.into()));
        }
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let content_type = header(CONTENT_TYPE).unwrap_or_default().to_owned();
        let length = header(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        ready(Ok(StreamBody { content_type, length, limit, received: 0, payload: payload.take() }))
    }
}

impl StreamBody {
    /// The next piece; `None` once the body has arrived whole.
    ///
    /// # Errors
    /// 400 `INCOMPLETE_BODY` where it broke off, 408 `REQUEST_TIMEOUT` after 30 seconds of silence, 413 `BODY_TOO_LARGE`.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let piece = tokio::time::timeout(SILENCE, self.payload.next()).await.map_err(|_elapsed| {
            let sentence = "nothing of the body came for 30 seconds: send the request again";
            Fault::new(Kind::Timeout, "REQUEST_TIMEOUT", sentence)
        })?;
        let incomplete = || {
            let sentence = "the body did not arrive whole: send the request again";
            Fault::new(Kind::InvalidInput, "INCOMPLETE_BODY", sentence)
        };
        let Some(piece) = piece else {
            let whole = self.length.is_none_or(|length| length == self.received);
            return if whole { Ok(None) } else { Err(incomplete()) };
        };
        let piece = piece.map_err(|error| incomplete().caused_by(error.to_string()))?;
        self.received += piece.len() as u64;
        match self.limit {
            Some(limit) if self.received > limit as u64 => Err(too_large(limit)),
            _ => Ok(Some(piece)),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    async fn read(request: TestRequest, limit: Option<usize>) -> Result<Vec<u8>, String> {
        let (request, mut payload) = request.to_http_parts();
        if let Some(limit) = limit {
            request.extensions_mut().insert(BodyLimit(limit));
        }
        let code = |fault: &Fault| fault.code().to_owned();
        let body = StreamBody::from_request(&request, &mut payload).into_inner();
        let mut body = body.map_err(|problem| code(&problem.0))?;
        let mut all = Vec::new();
        while let Some(piece) = body.next().await.map_err(|fault| code(&fault))? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    #[actix_web::test]
    async fn stream_body_arrives_whole_or_says_why_not() {
        let sent = || TestRequest::default().set_payload("evidence");
        assert_eq!(read(sent(), None).await, Ok(b"evidence".to_vec()));
        assert_eq!(read(sent(), Some(8)).await, Ok(b"evidence".to_vec()));
        assert_eq!(read(sent(), Some(7)).await, Err("BODY_TOO_LARGE".to_owned()));
        let announced =
            |length| TestRequest::default().set_payload("evidence").insert_header(("content-length", length));
        assert_eq!(read(announced("8"), None).await, Ok(b"evidence".to_vec()));
        assert_eq!(read(announced("9"), None).await, Err("INCOMPLETE_BODY".to_owned()));
        // Refused before a byte is read.
        assert_eq!(read(announced("99"), Some(9)).await, Err("BODY_TOO_LARGE".to_owned()));
    }
}
