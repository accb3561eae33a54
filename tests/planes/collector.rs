//! An OpenTelemetry Collector as a process, and the spans that it was sent.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use mintmark_devstack::Process;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;

/// OTLP's numbers of kinds.
pub const SERVER: u64 = 2;
pub const CLIENT: u64 = 3;
pub const PRODUCER: u64 = 4;
pub const CONSUMER: u64 = 5;

/// A collector that writes what it gets into a file.
pub struct Collector {
    process: Process,
    address: SocketAddr,
    folder: TempDir,
}

/// A span, as it came out of the collector.
#[derive(Clone, Debug)]
pub struct Span {
    pub service: String,
    pub name: String,
    pub kind: u64,
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub began: u64,
    pub ended: u64,
    pub attributes: BTreeMap<String, String>,
}

impl Collector {
    pub async fn start() -> Self {
        let program = mintmark_devstack::tools::find("otel-collector")
            .unwrap_or_else(|| panic!("otel-collector is missing: run `make setup-test`"));
        let address = crate::estate::free();
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("collector.yaml");
        let spans = folder.path().join("spans.jsonl");
        std::fs::write(
            &config,
            format!(
                "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '{address}'}}}}}}}}\n\
                 exporters: {{file: {{path: '{}'}}}}\n\
                 service:\n  telemetry: {{metrics: {{level: none}}, logs: {{level: warn}}}}\n  \
                 pipelines: {{traces: {{receivers: [otlp], exporters: [file]}}}}\n",
                spans.display()
            ),
        )
        .unwrap();
        let log = folder.path().join("collector.log");
        let arguments = ["--config", config.to_str().unwrap()];
        let mut process = Process::spawn(&program, &arguments, &[], &log).unwrap();
        crate::eventually("the collector listens", async || {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            assert!(process.ended().is_none(), "the collector ended: {said}");
            TcpStream::connect(address).await.ok()
        })
        .await;
        Self { process, address, folder }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it, which writes what it still holds; all that it was sent, as text and as spans.
    pub async fn stop(self) -> (String, Vec<Span>) {
        let Self { process, folder, .. } = self;
        let ended = tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
        assert!(ended.is_some_and(|status| status.success()), "the collector did not end well");
        let file: PathBuf = folder.path().join("spans.jsonl");
        let text = std::fs::read_to_string(file).unwrap();
        let spans = text.lines().flat_map(|line| spans(&serde_json::from_str(line).unwrap())).collect();
        (text, spans)
    }
}

fn spans(line: &Value) -> Vec<Span> {
    let mut found = Vec::new();
    for of_process in line["resourceSpans"].as_array().unwrap() {
        let resource = attributes(&of_process["resource"]["attributes"]);
        for scope in of_process["scopeSpans"].as_array().unwrap() {
            for span in scope["spans"].as_array().unwrap() {
                let text = |member: &str| span[member].as_str().unwrap_or_default().to_owned();
                found.push(Span {
                    service: resource["service.name"].clone(),
                    name: text("name"),
                    kind: span["kind"].as_u64().unwrap_or_default(),
                    trace: text("traceId"),
                    id: text("spanId"),
                    parent: text("parentSpanId"),
                    began: text("startTimeUnixNano").parse().unwrap(),
                    ended: text("endTimeUnixNano").parse().unwrap(),
                    attributes: attributes(&span["attributes"]),
                });
            }
        }
    }
    found
}

/// Keys and values, whatever type these have.
fn attributes(list: &Value) -> BTreeMap<String, String> {
    let pairs = list.as_array().into_iter().flatten().map(|pair| {
        let value = pair["value"].as_object().and_then(|it| it.values().next()).cloned().unwrap_or_default();
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (pair["key"].as_str().unwrap().to_owned(), value)
    });
    pairs.collect()
}

/// One trace.
pub struct Trace<'a>(pub Vec<&'a Span>);

impl<'a> Trace<'a> {
    pub fn of(spans: &'a [Span], trace: &str) -> Self {
        Self(spans.iter().filter(|span| span.trace == trace).collect())
    }

    /// The one span of this service, name and kind.
    #[track_caller]
    pub fn one(&self, service: &str, name: &str, kind: u64) -> &'a Span {
        let fits = |span: &&&Span| span.service == service && span.name == name && span.kind == kind;
        let found: Vec<&&Span> = self.0.iter().filter(fits).collect();
        assert_eq!(found.len(), 1, "{name} of {service}, kind {kind}, in\n{}", self.drawn());
        found[0]
    }

    /// Whether one is an ancestor of the other.
    pub fn leads(&self, ancestor: &Span, descendant: &Span) -> bool {
        let mut at = descendant.parent.as_str();
        while let Some(span) = self.0.iter().find(|span| span.id == at) {
            if span.id == ancestor.id {
                return true;
            }
            at = span.parent.as_str();
        }
        false
    }

    /// The trace for a reader.
    pub fn drawn(&self) -> String {
        let mut out = String::new();
        let known = |id: &str| self.0.iter().any(|span| span.id == id);
        for root in self.0.iter().filter(|span| !known(&span.parent)) {
            self.draw(root, 0, &mut out);
        }
        out
    }

    fn draw(&self, span: &Span, depth: usize, out: &mut String) {
        let took = Duration::from_nanos(span.ended - span.began);
        let indent = depth * 2;
        let line = format!("{:indent$}{} (kind {}, {}) {took:?}\n", "", span.name, span.kind, span.service);
        out.push_str(&line);
        for child in self.0.iter().filter(|child| child.parent == span.id) {
            self.draw(child, depth + 1, out);
        }
    }
}
