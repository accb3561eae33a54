//! A body that is a file.

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest};
use bytes::Bytes;
use futures::future::LocalBoxFuture;

use super::{BodyLimit, check_length, read};
use crate::Problem;

/// A body as it was sent, with what it says that it is. An extractor: 413 beyond the row's or the edge's limit. What kinds
/// are welcome is for the handler to say.
#[derive(Debug)]
pub struct FileBody {
    /// The header `Content-Type`; empty when there is none that can be read.
    pub content_type: String,
    /// The bytes.
    pub bytes: Bytes,
}

impl FromRequest for FileBody {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limit = BodyLimit::of(request);
        let refused = check_length(request, limit);
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        let payload = payload.take();
        Box::pin(async move {
            refused?;
            Ok(FileBody { content_type, bytes: read(payload, limit).await? })
        })
    }
}
