//! W3C Trace Context: the trace goes on through every hop.

use std::collections::HashMap;

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: &str = "traceparent";

/// Writes the span's trace context into the headers of an outgoing call. Without telemetry nothing is written.
pub fn inject(span: &Span, headers: &mut dyn Injector) {
    TraceContextPropagator::new().inject_context(&span.context(), headers);
}

/// Makes the caller's trace context the parent of `span`. Call it before the span is entered; headers without a valid
/// trace context change nothing.
///
/// `tracestate` is not read: it is free text of the caller's, and would travel on with every call that we make.
pub fn set_parent(span: &Span, headers: &dyn Extractor) {
    let parent = TraceContextPropagator::new().extract(&ParentOnly(headers));
    if parent.span().span_context().is_valid() {
        // Fails only without telemetry, or when the span was entered already: then it keeps its own trace.
        let _own_trace = span.set_parent(parent);
    }
}

/// Headers in which only `traceparent` can be found.
struct ParentOnly<'a>(&'a dyn Extractor);

impl Extractor for ParentOnly<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        key.eq_ignore_ascii_case(TRACEPARENT).then(|| self.0.get(key)).flatten()
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

/// The span's context as a `traceparent` value, to be stored with work that goes on later.
#[must_use]
pub fn trace_parent(span: &Span) -> Option<String> {
    let mut headers = HashMap::new();
    inject(span, &mut headers);
    headers.remove(TRACEPARENT)
}

/// The reverse of `trace_parent`.
pub fn set_trace_parent(span: &Span, trace_parent: &str) {
    let headers = HashMap::from([(TRACEPARENT.to_owned(), trace_parent.to_owned())]);
    set_parent(span, &headers);
}

/// The span's trace id as 32 lower-case hexadecimal digits, when telemetry is on.
#[must_use]
pub fn trace_id(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let span_context = span.span_context();
    span_context.is_valid().then(|| span_context.trace_id().to_string())
}
