//! The stages that every request passes, on its way in and out.

mod active;
mod credentials;
mod gate;
mod limit;
mod observe;
mod request_id;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use futures::FutureExt;
use mintmark_fault::{Fault, Kind};
use opentelemetry::metrics::Histogram;
use tokio::runtime::Handle;
use tracing::{Instrument, Span};

pub(crate) use active::Active;
pub(crate) use credentials::bearer;
pub(crate) use limit::Counting;
pub use request_id::RequestId;

use crate::body::BodyLimit;
use crate::problem::{Problem, render};
use crate::{Access, Authenticate, Limit, SignedFor};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What all routes of an edge share.
pub(crate) struct Shared {
    pub service: &'static str,
    pub authenticate: Option<Arc<dyn Authenticate>>,
    /// None: nothing is limited.
    pub counting: Option<Counting>,
    /// None: whoever holds a signed URL is counted like anybody without a credential.
    pub signed_for: Option<SignedFor>,
    pub deadline: Duration,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// A request that nobody follows and that does not fail gets no span.
    pub spans_where_followed: bool,
    pub duration: Histogram<f64>,
    pub active: Active,
    /// Where connections are driven, and credentials judged.
    pub home: Handle,
}

/// One method of a path.
pub(crate) struct Row {
    pub method: Method,
    pub access: Access,
    pub limit: Limit,
    pub deadline: Option<Duration>,
    pub answers_after: Option<Duration>,
    pub body_limit: Option<BodyLimit>,
    /// `GET /v1/brands/{brandId}`: the span's name, made once.
    pub span_name: String,
}

/// One path with its methods; without rows it is the place for paths that nobody knows.
pub(crate) struct Stage {
    pub shared: Arc<Shared>,
    pub template: Arc<str>,
    pub rows: Vec<Row>,
    /// The value of `Allow`.
    pub allow: HeaderValue,
}

/// How a request ended before there was an answer to pass on.
enum Ended {
    Fault(Fault),
    WrongMethod,
}

/// The stages around one path.
pub(crate) async fn run(
    stage: Arc<Stage>,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let started = Instant::now();
    let _entered = stage.shared.active.enter();
    let row = stage.rows.iter().find(|row| row.method == *request.method());
    crate::upstream::take(&mut request);
    credentials::drop_stray_control_tokens(stage.shared.service, row.map(|row| row.access), &mut request);
    let credentials = credentials::take_credentials(&mut request);
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    if let Some(limit) = row.and_then(|row| row.body_limit) {
        request.extensions_mut().insert(limit);
    }
    let method = request.method().clone();
    let original = request.request().clone();
    let named = row.map(|row| row.span_name.as_str());
    let spanned = || observe::span(&original, &stage.template, named, &id);
    let followed = !stage.shared.spans_where_followed || observe::is_followed(&original);
    let mut span = if followed { spanned() } else { Span::none() };

    let outcome = within_deadline(&stage, row, credentials, request, next).instrument(span.clone()).await;
    let failed = outcome.as_ref().map_or(true, |response| response.response().error().is_some());
    if failed && span.is_none() {
        // For the line in the log.
        span = spanned();
    }
    let mut response = span.in_scope(|| match outcome {
        Ok(response) => with_problem(response, &id),
        Err(ended) => ServiceResponse::new(original.clone(), refuse(&ended, &stage, &id)),
    });
    limit::complete(&original, response.headers_mut());
    complete_headers(&mut response, &stage.shared, &id);
    observe::finish(&stage, &span, &method, response.status(), started.elapsed());
    Ok(response)
}

async fn within_deadline(
    stage: &Stage,
    row: Option<&Row>,
    credentials: credentials::Taken,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Ended> {
    if row.is_none() && !stage.rows.is_empty() {
        return Err(Ended::WrongMethod);
    }
    let deadline = row.and_then(|row| row.deadline).unwrap_or(stage.shared.deadline);
    let work = async {
        if let Some(row) = row {
            gate::admit(&stage.shared, row, credentials, &request).await.map_err(Ended::Fault)?;
        }
        let answer = handle(request, next).await;
        if let Some(wait) = row.and_then(|row| row.answers_after) {
            tokio::time::sleep(wait).await;
        }
        answer
    };
    tokio::time::timeout(deadline, work).await.unwrap_or_else(|_| {
        let sentence = "the answer took longer than is allowed: try again later";
        Err(Ended::Fault(Fault::unavailable("DEADLINE_EXCEEDED", sentence)))
    })
}

// actix drops the connection of a handler that panics; the client shall get an answer and the log a trace id.
async fn handle(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Ended> {
    let handler = async { next.call(request).await };
    match AssertUnwindSafe(handler).catch_unwind().await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(Ended::Fault(foreign(&error))),
        Err(_panic) => Err(Ended::Fault(Fault::internal("the handler panicked"))),
    }
}

// Handlers and extractors that failed left their error beside the response.
fn with_problem(response: ServiceResponse<BoxBody>, id: &RequestId) -> ServiceResponse<BoxBody> {
    let document = response.response().error().map(|error| match error.as_error::<Problem>() {
        Some(problem) => logged(&problem.0, id),
        None => logged(&foreign(error), id),
    });
    match document {
        Some(document) => response.into_response(document),
        None => response,
    }
}

fn refuse(ended: &Ended, stage: &Stage, id: &RequestId) -> HttpResponse {
    match ended {
        Ended::Fault(fault) => logged(fault, id),
        Ended::WrongMethod => {
            let sentence = "this path does not know the method: see the header Allow";
            let fault = Fault::new(Kind::MethodNotAllowed, "METHOD_NOT_ALLOWED", sentence);
            let mut response = logged(&fault, id);
            response.headers_mut().insert(ALLOW, stage.allow.clone());
            response
        }
    }
}

fn logged(fault: &Fault, id: &RequestId) -> HttpResponse {
    observe::log(fault);
    render(fault, Some(id.as_str()))
}

// An error that no code of ours made: actix refused something. Its text may repeat input, so only the status counts.
fn foreign(error: &actix_web::Error) -> Fault {
    let sentence = "the request is not one that this service understands";
    match error.as_response_error().status_code().as_u16() {
        404 => Fault::not_found("resource"),
        408 => Fault::new(Kind::Timeout, "REQUEST_TIMEOUT", "the request came too slowly: send it again"),
        413 => Fault::new(Kind::TooLarge, "BODY_TOO_LARGE", "the body is larger than is allowed"),
        415 => Fault::new(Kind::UnsupportedMedia, "UNSUPPORTED_MEDIA_TYPE", sentence),
        400..500 => Fault::new(Kind::InvalidInput, "INVALID_REQUEST", sentence),
        _ => Fault::internal(error.to_string()),
    }
}

fn complete_headers(response: &mut ServiceResponse<BoxBody>, shared: &Shared, id: &RequestId) {
    let headers = response.headers_mut();
    for (name, value) in &shared.headers {
        if !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    headers.insert(X_REQUEST_ID, id.header_value());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// The answer to a path that nobody knows, unless the edge has its own.
pub(crate) async fn unknown_path(_request: HttpRequest) -> Result<HttpResponse, Problem> {
    Err(Fault::not_found("resource").into())
}
