//! Bodies: JSON, and files as they are.

mod canonical;
mod file;
mod optional;
mod stream;

use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use mintmark_fault::{Fault, Kind};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::{Problem, decode};

pub use file::FileBody;
pub use optional::OptionalBody;
pub use stream::StreamBody;

/// Largest body in bytes; the edge's travels as application data, a row's own with the request.
#[derive(Clone, Copy)]
pub(crate) struct BodyLimit(pub usize);

impl BodyLimit {
    fn of(request: &HttpRequest) -> usize {
        let own = request.extensions().get::<BodyLimit>().copied();
        own.or_else(|| request.app_data::<BodyLimit>().copied()).map_or(0, |limit| limit.0)
    }
}

/// A JSON body of type `T`. An extractor.
///
/// 415 unless the content type is `application/json` (or `…+json`), 413 beyond the edge's limit, 400 `INVALID_JSON` when it
/// is not JSON (or nests deeper than 128), 400 `INVALID_BODY` with the field when it is not a `T`. Put
/// `#[serde(deny_unknown_fields)]` on `T`.
#[derive(Debug)]
pub struct Body<T> {
    value: T,
    received: Bytes,
}

impl<T> Body<T> {
    /// The value alone.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// SHA-256 of the canonical form (keys sorted, no spaces) of what was received: equal for two bodies that say the same.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        canonical::fingerprint(&self.received)
    }
}

impl<T> Deref for Body<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limit = BodyLimit::of(request);
        let refused = check_head(request, limit);
        let payload = payload.take();
        Box::pin(async move {
            refused?;
            let received = read(payload, limit).await?;
            let value = parse(&received)?;
            Ok(Self { value, received })
        })
    }
}

fn check_head(request: &HttpRequest, limit: usize) -> Result<(), Fault> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    if !header(CONTENT_TYPE).is_some_and(is_json) {
        let sentence = "the body must be JSON: send it with the header Content-Type: application/json";
        return Err(Fault::new(Kind::UnsupportedMedia, "UNSUPPORTED_MEDIA_TYPE", sentence));
    }
    check_length(request, limit)
}

/// Refuses what says of itself that it is too large, before any of it is read.
fn check_length(request: &HttpRequest, limit: usize) -> Result<(), Fault> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    Ok(())
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

async fn read(mut payload: Payload, limit: usize) -> Result<Bytes, Fault> {
    let mut received = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            let sentence = "the body did not arrive whole: send the request again";
            Fault::new(Kind::InvalidInput, "INCOMPLETE_BODY", sentence).caused_by(error.to_string())
        })?;
        if received.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        received.extend_from_slice(&chunk);
    }
    Ok(received.freeze())
}

fn too_large(limit: usize) -> Fault {
    let sentence = format!("the body is larger than {limit} bytes, the most that is allowed here");
    Fault::new(Kind::TooLarge, "BODY_TOO_LARGE", sentence).with("limit", limit)
}

fn parse<T: DeserializeOwned>(received: &[u8]) -> Result<T, Fault> {
    // serde reads a struct from an array too, field by field; nobody means that.
    if received.trim_ascii_start().starts_with(b"[") {
        return Err(Fault::new(
            Kind::InvalidInput,
            "INVALID_BODY",
            "the body must be a JSON object, not a list",
        ));
    }
    let mut reader = serde_json::Deserializer::from_slice(received);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        match error.classify() {
            Category::Data => decode::refuse("INVALID_BODY", &path, &error.to_string()),
            Category::Syntax | Category::Eof | Category::Io => not_json(&error),
        }
    })?;
    reader.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

fn not_json(error: &serde_json::Error) -> Fault {
    let (line, column) = (error.line(), error.column());
    let sentence = format!("the body is not JSON: it goes wrong at line {line}, column {column}");
    Fault::new(Kind::InvalidInput, "INVALID_JSON", sentence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    #[expect(dead_code, reason = "only parsed")]
    struct Order {
        product_id: String,
        units: u32,
        #[serde(default)]
        parts: Vec<Part>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Part {
        size: u8,
    }

    #[test]
    fn parse_of_a_wrong_body_names_code_and_field() {
        let deep = "{\"a\":".repeat(200);
        let cases = [
            ("", "INVALID_JSON", None),
            ("{\"units\":", "INVALID_JSON", None),
            ("{\"productId\":\"p\",\"units\":1} x", "INVALID_JSON", None),
            ("\u{0}", "INVALID_JSON", None),
            (r#"{"units":1}"#, "INVALID_BODY", Some("productId")),
            (r#"{"productId":"p","units":"hunter2"}"#, "INVALID_BODY", Some("units")),
            (r#"{"productId":"p","units":-1}"#, "INVALID_BODY", Some("units")),
            (r#"{"productId":"p","units":1,"admin":true}"#, "INVALID_BODY", Some("admin")),
            (r#"{"productId":"p","units":1,"units":2}"#, "INVALID_BODY", Some("units")),
            (
                r#"{"productId":"p","units":1,"parts":[{"size":1},{"size":256}]}"#,
                "INVALID_BODY",
                Some("parts[1].size"),
            ),
            (
                r#"{"productId":"p","units":1,"parts":[{"colour":1}]}"#,
                "INVALID_BODY",
                Some("parts[0].colour"),
            ),
            (r#""text""#, "INVALID_BODY", None),
            (r#"["p",1]"#, "INVALID_BODY", None),
        ];
        for (text, code, field) in cases {
            let fault = parse::<Order>(text.as_bytes()).unwrap_err();
            assert_eq!((fault.code(), fault.field_name()), (code, field), "{text}");
            assert!(!fault.message().contains("hunter2"), "{}", fault.message());
        }
        assert!(
            parse::<serde_json::Value>(deep.as_bytes()).is_err_and(|fault| fault.code() == "INVALID_JSON")
        );
        assert!(parse::<Order>(br#"{"productId":"p","units":1}"#).is_ok());
    }

    #[test]
    fn is_json_takes_parameters_and_suffixes_only() {
        assert!(is_json("application/json; charset=utf-8") && is_json("Application/merge-patch+JSON"));
        assert!(!is_json("text/json") && !is_json("application/x-www-form-urlencoded") && !is_json(""));
    }
}
