use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use mintmark_service::telemetry::{self, Telemetry};
use serde_json::{Value, json};
use tracing::{Instrument, info_span};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn with_message(&self, message: &str) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["message"] == message).collect()
    }
}

// One test, because telemetry is installed once in a process.
#[tokio::test(flavor = "multi_thread")]
async fn log_line_in_a_span_carries_the_trace_of_the_caller() {
    let lines = Lines::default();
    let sink = lines.clone();
    let telemetry =
        Telemetry::install_to("example", "warn".parse().unwrap(), None, move || sink.clone()).unwrap();

    let span = info_span!(
        "http.request",
        otel.name = "GET /x/{id}",
        brand.id = "brd_1",
        status = tracing::field::Empty
    );
    telemetry::set_trace_parent(&span, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let outgoing = telemetry::trace_parent(&span).unwrap();
    async {
        tracing::Span::current().record("status", 200_u64);
        tokio::task::yield_now().await;
        let error = std::io::Error::other("disk is full");
        tracing::warn!(units = 3_u64, error = &error as &dyn std::error::Error, "in a span");
        tracing::info!("too quiet");
    }
    .instrument(span)
    .await;
    let line = &lines.with_message("in a span")[0];
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["target"], module_path!());
    assert_eq!(line["fields"], json!({"units": 3, "error": "disk is full"}));
    assert_eq!(line["span"], json!({"name": "http.request", "brand.id": "brd_1", "status": 200}));
    assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    let span_id = line["span_id"].as_str().unwrap();
    assert_eq!(
        outgoing,
        format!("00-0af7651916cd43dd8448eb211c80319c-{span_id}-01"),
        "the next hop's parent is this span"
    );
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    assert!(lines.with_message("too quiet").is_empty());

    // `tracestate` is the caller's text: it goes no further than here.
    let caller = HashMap::from([
        ("traceparent".to_owned(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        ("tracestate".to_owned(), "vendor=whatever-the-caller-wrote".to_owned()),
    ]);
    let (span, mut next_hop) = (info_span!("traced"), HashMap::<String, String>::new());
    telemetry::set_parent(&span, &caller);
    telemetry::inject(&span, &mut next_hop);
    assert!(next_hop["traceparent"].starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{next_hop:?}");
    assert_eq!(next_hop.get("tracestate").map_or("", String::as_str), "", "{next_hop:?}");

    info_span!("own trace").in_scope(|| tracing::warn!("without a caller"));
    let own = lines.with_message("without a caller")[0]["trace_id"].as_str().unwrap().to_owned();
    assert_eq!(own.len(), 32);
    assert_ne!(own, "0af7651916cd43dd8448eb211c80319c");

    let again = Telemetry::install("example", "info".parse().unwrap(), None).unwrap_err();
    assert!(again.to_string().contains("installed already"));
    telemetry.shutdown().await;
}
