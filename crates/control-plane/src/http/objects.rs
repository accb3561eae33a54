//! `/objects/{path}`: the files of the local store, for whoever holds a signed URL.
//!
//! A URL is signed for GET alone, so HEAD is refused like every other method. A download that broke goes on with
//! `Range` (one range, in bytes; of several the whole file is given, as RFC 9110 allows) and `If-Range` with the tag.

use std::ops::Range;

use actix_web::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderName, HeaderValue, IF_RANGE, RANGE,
};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use chrono::Utc;
use mintmark_fault::{Fault, Kind};
use mintmark_ids::TenantId;
use mintmark_objects::{LinkProof, LocalSigner, Store, attachment, content_type};
use mintmark_web::{Access, Answer, Problem, Route};
use serde::Deserialize;
use utoipa::OpenApi;

use crate::app::exports::Exports;

/// The part of the OpenAPI document about files.
#[derive(OpenApi)]
#[openapi(paths(fetch))]
pub struct Doc;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/objects/{path:.*}", Access::Signed, fetch)]
}

/// What a signed URL carries. Whatever is missing or unreadable makes the signature invalid, which is all that a
/// stranger learns.
#[derive(Default, Deserialize)]
struct Proof {
    #[serde(default)]
    expires: i64,
    #[serde(default)]
    name: String,
    #[serde(default)]
    sha256: String,
    #[serde(default)]
    signature: String,
}

impl Proof {
    fn as_link(&self) -> LinkProof<'_> {
        LinkProof {
            expires: self.expires,
            file_name: &self.name,
            sha256: &self.sha256,
            signature: &self.signature,
        }
    }
}

fn verified(signer: &LocalSigner, http: &HttpRequest) -> Result<Proof, Fault> {
    let path = http.match_info().query("path");
    let proof =
        web::Query::<Proof>::from_query(http.query_string()).map(web::Query::into_inner).unwrap_or_default();
    signer.verify(http.method().as_str(), path, &proof.as_link(), Utc::now())?;
    Ok(proof)
}

/// Says whose file a signed URL leads to, where its signature is good: `exports/{tenant}/…`, `audit-exports/{tenant}/…`.
pub fn signed_for(store: Store) -> impl Fn(&HttpRequest) -> Option<TenantId> {
    move |http| {
        verified(store.signer()?, http).ok()?;
        TenantId::parse(http.match_info().query("path").split('/').nth(1)?).ok()
    }
}

/// Fetches a file, or a range of its bytes, by a URL that a download gave out.
#[utoipa::path(
    get, path = "/objects/{path}", tag = "exports",
    params(
        ("path" = String, Path), ("expires" = i64, Query), ("name" = String, Query), ("sha256" = String, Query),
        ("signature" = String, Query),
        ("Range" = Option<String>, Header, description = "One range, like `bytes=1048576-`"),
        ("If-Range" = Option<String>, Header, description = "The `ETag` of an earlier answer")),
    responses(
        (status = 200, description = "The file", content_type = "application/octet-stream"),
        (status = 206, description = "The range of it", content_type = "application/octet-stream")))]
async fn fetch(exports: web::Data<Exports>, http: HttpRequest) -> Answer {
    let store = exports.store();
    let signer = store.signer().ok_or_else(|| Fault::not_found("object"))?;
    let path = http.match_info().query("path");
    let proof = verified(signer, &http)?;
    let meta = store.head(path).await?.ok_or_else(|| Fault::not_found("object"))?;
    // The hash was signed, so it is that of the file.
    let tag = format!("\"{}\"", proof.sha256);
    let wanted = wanted(http.headers(), &tag, meta.bytes);
    let (object, mut response) = match wanted {
        Wanted::All => (store.stream(path).await?, HttpResponse::Ok()),
        Wanted::Part(range) => {
            let mut response = HttpResponse::PartialContent();
            let part = format!("bytes {}-{}/{}", range.start, range.end - 1, meta.bytes);
            response.insert_header((CONTENT_RANGE, part));
            (store.stream_range(path, range).await?, response)
        }
        Wanted::Nothing => return Ok(outside(meta.bytes)),
    };
    response.insert_header((CONTENT_TYPE, content_type(path)));
    // The name was signed, so it is one of ours: letters, digits, '.', '_' and '-'.
    response.insert_header((CONTENT_DISPOSITION, attachment(&proof.name)));
    response.insert_header((CACHE_CONTROL, HeaderValue::from_static(mintmark_objects::CACHE_CONTROL)));
    response.insert_header((ACCEPT_RANGES, HeaderValue::from_static("bytes")));
    response.insert_header((ETAG, tag));
    // What is compressed already stays as it is, and its length can be told.
    response.insert_header((CONTENT_ENCODING, HeaderValue::from_static("identity")));
    response.no_chunking(object.range.end - object.range.start);
    Ok(response.streaming(object.bytes))
}

/// How much of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    /// A range that begins after the file's end.
    Nothing,
}

/// What `Range` and `If-Range` ask of a file of this tag and length; what cannot be read asks for all of it (RFC 9110, 14.2).
fn wanted(headers: &HeaderMap, tag: &str, bytes: u64) -> Wanted {
    let value = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // A date is never as good as the tag: the answer then begins anew.
    if value(IF_RANGE).is_some_and(|condition| condition != tag) {
        return Wanted::All;
    }
    let Some((first, last)) = value(RANGE).and_then(one_range) else { return Wanted::All };
    let range = match (first, last) {
        (Some(first), last) => first..last.map_or(bytes, |last| last.saturating_add(1).min(bytes)),
        (None, Some(suffix)) => bytes.saturating_sub(suffix)..bytes,
        (None, None) => return Wanted::All,
    };
    if range.is_empty() { Wanted::Nothing } else { Wanted::Part(range) }
}

/// The two numbers of `bytes=first-last`, either of which may be absent; nothing for other units or several ranges.
fn one_range(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = text.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| match text {
        "" => Some(None),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok().map(Some),
        _ => None,
    };
    let (first, last) = (number(first)?, number(last)?);
    let backwards = matches!((first, last), (Some(first), Some(last)) if last < first);
    (!backwards).then_some((first, last))
}

fn outside(bytes: u64) -> HttpResponse {
    let sentence = "the range begins after the end of the file: the header Content-Range says how long it is";
    let fault = Fault::new(Kind::OutOfRange, "RANGE_OUTSIDE", sentence);
    let mut response = Problem(fault).error_response();
    if let Ok(value) = HeaderValue::try_from(format!("bytes */{bytes}")) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(range: &'static str, if_range: Option<&'static str>) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static(range));
        if let Some(condition) = if_range {
            headers.insert(IF_RANGE, HeaderValue::from_static(condition));
        }
        wanted(&headers, "\"tag\"", 100)
    }

    #[test]
    fn wanted_reads_one_range_and_leaves_the_rest_alone() {
        for (range, expected) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=10-19", Wanted::Part(10..20)),
            ("bytes=90-", Wanted::Part(90..100)),
            ("bytes=90-1000", Wanted::Part(90..100)),
            ("bytes=0-18446744073709551615", Wanted::Part(0..100)),
            ("bytes=-10", Wanted::Part(90..100)),
            ("bytes=-1000", Wanted::Part(0..100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=100-200", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=-", Wanted::All),
            ("bytes=20-10", Wanted::All),
            ("bytes=0-1,5-6", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=99999999999999999999-", Wanted::All),
            ("lines=1-2", Wanted::All),
            ("", Wanted::All),
        ] {
            assert_eq!(ask(range, None), expected, "{range}");
        }
    }

    #[test]
    fn wanted_gives_a_range_of_the_same_file_alone() {
        assert_eq!(ask("bytes=1-2", Some("\"tag\"")), Wanted::Part(1..3));
        for condition in ["\"other\"", "W/\"tag\"", "tag", "Sun, 22 Nov 2026 10:00:00 GMT"] {
            assert_eq!(ask("bytes=1-2", Some(condition)), Wanted::All, "{condition}");
        }
        assert_eq!(wanted(&HeaderMap::new(), "\"tag\"", 100), Wanted::All);
    }
}
