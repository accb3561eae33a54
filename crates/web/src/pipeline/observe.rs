//! What is seen from outside: span, duration, log line.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::http::{Method, StatusCode};
use mintmark_fault::{Chain, Fault, Kind};
use mintmark_service::telemetry;
use opentelemetry::KeyValue;
use opentelemetry::propagation::Extractor;
use tracing::{Span, field, info_span};

use super::{RequestId, Stage};

/// The span of a request, continuing the caller's trace. It knows the template of the route, never the path or query:
/// those carry codes.
pub(super) fn span(request: &HttpRequest, template: &str, name: Option<&str>, id: &RequestId) -> Span {
    let method = label(request.method());
    let span = info_span!(
        "http.request",
        otel.name = name.unwrap_or(method),
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = method,
        http.route = template,
        http.response.status_code = field::Empty,
        request.id = id.as_str(),
    );
    telemetry::set_parent(&span, &Headers(request.headers()));
    span
}

/// Whether somebody follows this request: its caller, or a collector.
pub(super) fn is_followed(request: &HttpRequest) -> bool {
    telemetry::exports_traces() || request.headers().contains_key("traceparent")
}

/// Records how it ended.
pub(super) fn finish(stage: &Stage, span: &Span, method: &Method, status: StatusCode, took: Duration) {
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    let labels = [
        KeyValue::new("service", stage.shared.service),
        KeyValue::new("method", label(method)),
        KeyValue::new("route", stage.template.clone()),
        KeyValue::new("status", i64::from(status.as_u16())),
    ];
    stage.shared.duration.record(took.as_secs_f64(), &labels);
}

/// Logs a fault once, with its causes when they are ours to mend.
pub(super) fn log(fault: &Fault) {
    let (code, field) = (fault.code(), fault.field_name());
    match fault.kind() {
        Kind::Internal => tracing::error!(code, error = %Chain(fault), "request failed"),
        // An outage refuses every request: one line says so, and then one a minute. The metrics count them all.
        Kind::Unavailable => match telemetry::unavailable_line(code) {
            Some(held_back) => {
                tracing::warn!(code, held_back, error = %Chain(fault), "request could not be served");
            }
            None => tracing::debug!(code, error = %Chain(fault), "request could not be served"),
        },
        _ => tracing::debug!(code, field, "request refused"),
    }
}

// A client may invent methods; a label must not grow with them.
fn label(method: &Method) -> &'static str {
    const KNOWN: [Method; 9] = [
        Method::GET,
        Method::POST,
        Method::PATCH,
        Method::PUT,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
        Method::TRACE,
        Method::CONNECT,
    ];
    const NAMES: [&str; 9] = ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.iter().position(|known| known == method).map_or("OTHER", |at| NAMES[at])
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
