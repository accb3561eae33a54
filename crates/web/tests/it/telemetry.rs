use std::io::Write;
use std::sync::{Arc, Mutex};

use mintmark_service::telemetry::{self, Telemetry};
use mintmark_web::Edge;
use reqwest::Client;
use serde_json::Value;

use crate::edge::TestEdge;

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
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn find(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let text = self.text();
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.find(|line| wanted(line)).unwrap_or_else(|| panic!("not in {text}"))
    }
}

// One test, because telemetry is installed once in a process.
#[tokio::test(flavor = "multi_thread")]
async fn request_continues_the_callers_trace_and_shows_no_path() {
    let lines = Lines::default();
    let sink = lines.clone();
    Telemetry::install_to("example", "debug".parse().unwrap(), None, move || sink.clone()).unwrap();
    let edge = TestEdge::start().await;
    let path = "/v1/things/00000000-0000-0000-0000-00000000abcd?code=hunter2";
    let request = Client::new().get(edge.url(path)).header("x-request-id", "traced");
    let request = request.header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let answer: Value = request.send().await.unwrap().json().await.unwrap();

    let line = lines.find(|line| line["message"] == "handled");
    assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(line["span"]["http.route"], "/v1/things/{id}");
    assert_eq!(line["span"]["request.id"], "traced");
    let next_hop = format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", line["span_id"].as_str().unwrap());
    assert_eq!(answer["nextHop"], next_hop);

    // The cause of a 500 is in the log, once, in the request's trace.
    let failing = Client::new().get(edge.url("/broken")).header("x-request-id", "broken");
    assert_eq!(failing.send().await.unwrap().status(), 500);
    let line =
        lines.find(|line| line["message"] == "request failed" && line["span"]["request.id"] == "broken");
    assert_eq!(line["fields"]["code"], "INTERNAL");
    assert!(line["fields"]["error"].as_str().unwrap().contains("password of the database"));
    assert_eq!(line["trace_id"].as_str().unwrap().len(), 32);

    // Requests of other tests share this process; the query above is ours alone.
    assert!(!lines.text().contains("code=hunter2"), "a query in a log line");
    let metrics = telemetry::metrics_text();
    let count = r#"http_server_request_duration_seconds_count{method="GET",route="/v1/things/{id}",service="example",status="200"}"#;
    assert!(metrics.contains(count), "{metrics}");
    assert!(!metrics.contains("abcd"), "a path in a label");
    edge.stop().await;
    spans_where_followed(&lines).await;
}

/// Part of the test above. An edge whose answers are cheap makes spans for those who follow, and for what goes wrong.
async fn spans_where_followed(lines: &Lines) {
    let edge = TestEdge::start_with(Edge::spans_where_followed).await;
    let thing = edge.url("/v1/things/00000000-0000-0000-0000-00000000abcd");
    let unfollowed = Client::new().get(&thing).header("x-request-id", "unfollowed");
    let answer: Value = unfollowed.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["nextHop"], Value::Null, "nobody reads it");

    let trace = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer: Value =
        Client::new().get(&thing).header("traceparent", trace).send().await.unwrap().json().await.unwrap();
    assert!(answer["nextHop"].as_str().unwrap().starts_with(&trace[..36]), "{answer}");

    let failing = Client::new().get(edge.url("/broken")).header("x-request-id", "broken-and-unfollowed");
    assert_eq!(failing.send().await.unwrap().status(), 500);
    let line = lines.find(|line| line["span"]["request.id"] == "broken-and-unfollowed");
    assert_eq!(line["message"], "request failed");
    assert_eq!(line["trace_id"].as_str().unwrap().len(), 32);
    edge.stop().await;
}
