//! Problem documents: how a fault looks to the client.

use std::collections::BTreeMap;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use mintmark_fault::{Fault, Kind};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What a handler returns.
pub type Answer = Result<HttpResponse, Problem>;

/// The one thing that a client learns of an internal failure.
const INTERNAL_DETAIL: &str =
    "something went wrong on our side; try again, and report the request id if it keeps happening";

/// A fault on its way out over HTTP. `?` makes it from a `Fault`; the edge adds the request id and logs it once.
#[derive(Debug)]
pub struct Problem(pub Fault);

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for Problem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        status(&self.0)
    }

    fn error_response(&self) -> HttpResponse {
        render(&self.0, None)
    }
}

/// An error, as RFC 9457 says it, with a stable `code` for programs and a `detail` for people.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
#[serde(rename_all = "camelCase")]
pub struct ProblemDocument {
    /// Always `about:blank`: the status says what kind of problem it is, `code` says which.
    pub r#type: &'static str,
    /// The status in words.
    #[schema(example = "Bad Request")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 400)]
    pub status: u16,
    /// Stable name of the problem.
    #[schema(example = "INVALID_BODY")]
    pub code: String,
    /// A sentence that says what to do.
    pub detail: String,
    /// The field of the request that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The id of the request, as in the header `X-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What else the code brings, such as `requiredScope`.
    #[serde(flatten)]
    #[schema(inline, additional_properties)]
    pub members: BTreeMap<String, Value>,
}

const RESERVED: [&str; 7] = ["type", "title", "status", "code", "detail", "field", "requestId"];

pub(crate) fn status(fault: &Fault) -> StatusCode {
    StatusCode::from_u16(fault.kind().http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The fault as a response; causes stay inside.
pub(crate) fn render(fault: &Fault, request_id: Option<&str>) -> HttpResponse {
    let kind = fault.kind();
    let detail = if kind == Kind::Internal { INTERNAL_DETAIL } else { fault.message() };
    let members = fault.members().iter().filter(|(name, _)| !RESERVED.contains(&name.as_ref()));
    let document = ProblemDocument {
        r#type: "about:blank",
        title: kind.title(),
        status: kind.http_status(),
        code: fault.code().to_owned(),
        detail: detail.to_owned(),
        field: fault.field_name().map(str::to_owned),
        request_id: request_id.map(str::to_owned),
        members: members.map(|(name, value)| (name.to_string(), value.clone())).collect(),
    };
    let mut response = HttpResponse::build(status(fault));
    response.content_type("application/problem+json");
    if let Some(delay) = fault.retry_delay() {
        // Rounded up: a client that comes back too early is sent away again.
        response.insert_header((RETRY_AFTER, delay.as_millis().div_ceil(1000).to_string()));
    }
    if kind == Kind::Unauthenticated {
        response.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
    }
    // Cannot fail: names are strings and values are JSON already.
    response.body(serde_json::to_vec(&document).unwrap_or_default())
}
