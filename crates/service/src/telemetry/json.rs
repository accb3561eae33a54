//! Log lines: one JSON object an event.

use std::error::Error;
use std::fmt;
use std::io::Write;

use opentelemetry::trace::TraceContextExt;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Writes each event as one line: `timestamp` (RFC 3339, UTC), `level`, `target`, `message`, `fields`,
/// `span` (the innermost span's name and the fields of all spans around the event), `trace_id`, `span_id`.
pub(super) struct JsonLines<W> {
    writer: W,
}

impl<W> JsonLines<W> {
    pub(super) fn new(writer: W) -> Self {
        Self { writer }
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Value::Object(object(event, &context)).to_string();
        line.push('\n');
        // Nobody is left to tell when stdout itself is gone.
        let _unreportable = self.writer.make_writer().write_all(line.as_bytes());
    }
}

fn object<S>(event: &Event<'_>, context: &Context<'_, S>) -> Map<String, Value>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut fields = Fields::default();
    event.record(&mut fields);
    let mut line = Map::new();
    line.insert("timestamp".to_owned(), timestamp().into());
    line.insert("level".to_owned(), event.metadata().level().as_str().into());
    // Records of the `log` facade arrive under the target "log" and name their own in a field.
    let target = fields.0.remove("log.target").unwrap_or_else(|| event.metadata().target().into());
    fields.0.retain(|name, _| !name.starts_with("log."));
    line.insert("target".to_owned(), target);
    line.insert("message".to_owned(), fields.0.remove("message").unwrap_or_default());
    if !fields.0.is_empty() {
        line.insert("fields".to_owned(), fields.0.into());
    }
    if let Some(span) = span_object(event, context) {
        line.insert("span".to_owned(), span.into());
    }
    let active = opentelemetry::Context::current();
    let span = active.span();
    let span_context = span.span_context();
    if span_context.is_valid() {
        line.insert("trace_id".to_owned(), span_context.trace_id().to_string().into());
        line.insert("span_id".to_owned(), span_context.span_id().to_string().into());
    }
    line
}

fn span_object<S>(event: &Event<'_>, context: &Context<'_, S>) -> Option<Map<String, Value>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut object = Map::new();
    object.insert("name".to_owned(), context.event_span(event)?.name().into());
    for span in context.event_scope(event)?.from_root() {
        if let Some(fields) = span.extensions().get::<Fields>() {
            // "otel.name" and the like are instructions to the trace exporter.
            let own = fields.0.iter().filter(|(name, _)| !name.starts_with("otel."));
            object.extend(own.map(|(name, value)| (name.clone(), value.clone())));
        }
    }
    Some(object)
}

fn timestamp() -> String {
    let mut text = String::with_capacity(32);
    // Writing into a String cannot fail.
    let _infallible = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        self.set(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
}
