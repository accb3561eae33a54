//! A mint is one trace, and so is a scan: from the edge to the last COPY, over OTLP, in a collector as operators run it.

use std::collections::BTreeSet;

use mintmark_tests::recording::Secrets;
use serde_json::Value;

use crate::collector::{CLIENT, CONSUMER, Collector, PRODUCER, SERVER, Span, Trace};
use crate::estate::{Estate, PHONE, Running};
use crate::shop::text;

const MINT: &str = "0af7651916cd43dd8448eb211c80319c";
const SCAN: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// The caller's own span, of a program that sends us nothing of it.
const CALLER: &str = "00f067aa0ba902b7";
const CHUNKS: usize = 3;

fn parent(trace: &str) -> String {
    format!("00-{trace}-{CALLER}-01")
}

/// Ends a service, which sends what it still has of traces.
async fn end(running: Running) {
    let ended = tokio::task::spawn_blocking(move || running.process.terminate()).await.unwrap();
    assert!(ended.is_some_and(|status| status.success()), "a service did not end well");
}

/// Each span of the trace hangs on another one of it, or on the caller's.
fn assert_whole(trace: &Trace<'_>) {
    let known: BTreeSet<&str> = trace.0.iter().map(|span| span.id.as_str()).chain([CALLER]).collect();
    let loose: Vec<&&Span> = trace.0.iter().filter(|it| !known.contains(it.parent.as_str())).collect();
    assert!(loose.is_empty(), "{loose:#?} hang on nothing in\n{}", trace.drawn());
}

fn assert_mint(trace: &Trace<'_>) {
    let request = trace.one("control-plane", "POST /v1/brands/{brandId}/batches", SERVER);
    assert_eq!(request.parent, CALLER);
    assert_eq!(request.attributes["http.response.status_code"], "202");
    let enqueued = trace.one("control-plane", "enqueue mint-batch", PRODUCER);
    assert!(trace.leads(request, enqueued), "{}", trace.drawn());
    let job = trace.one("control-plane", "mint-batch", CONSUMER);
    assert_eq!(job.parent, enqueued.id, "{}", trace.drawn());
    assert_eq!(job.attributes["job.id"], enqueued.attributes["job.id"]);
    for method in ["PutProduct", "OpenPublication", "Publish", "SealPublication"] {
        let name = format!("mintmark.directory.v1.DirectoryService/{method}");
        let calling = trace.one("control-plane", &name, CLIENT);
        let called = trace.one("resolver-directory", &name, SERVER);
        assert!(trace.leads(job, calling), "{}", trace.drawn());
        assert_eq!(called.parent, calling.id, "{}", trace.drawn());
        for span in [calling, called] {
            assert_eq!(span.attributes["rpc.grpc.status_code"], "0", "{span:#?}");
        }
        // The stream is one call, as long as it lasts.
        assert!(calling.began <= called.began && called.began <= calling.ended, "{}", trace.drawn());
    }
    let publish = trace.one("resolver-directory", "mintmark.directory.v1.DirectoryService/Publish", SERVER);
    let copies: Vec<&&Span> = trace.0.iter().filter(|span| span.name == "COPY code").collect();
    assert_eq!(copies.len(), CHUNKS, "{}", trace.drawn());
    for copy in copies {
        assert!(trace.leads(publish, copy), "{}", trace.drawn());
        assert_eq!((copy.kind, copy.service.as_str()), (CLIENT, "resolver-directory"));
        assert_eq!(copy.attributes["db.system.name"], "postgresql");
        assert!(publish.began <= copy.began && copy.ended <= publish.ended, "{}", trace.drawn());
    }
}

fn assert_scan(trace: &Trace<'_>) {
    let request = trace.one("resolver-scan", "GET /{code}", SERVER);
    assert_eq!(request.parent, CALLER);
    for question in ["find", "activate"] {
        let asked = trace.one("resolver-scan", question, CLIENT);
        assert_eq!(asked.parent, request.id, "{}", trace.drawn());
        assert!(request.began <= asked.began && asked.ended <= request.ended, "{}", trace.drawn());
    }
}

/// Every line of a service's log is an object with what an operator searches for.
fn assert_lines(log: &str) -> Vec<Value> {
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        for member in ["timestamp", "level", "target", "message"] {
            assert!(line[member].is_string(), "no {member} in {line}");
        }
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn mint_and_scan_are_a_trace_each_from_the_edge_to_the_database() {
    let collector = Collector::start().await;
    let mut estate = Estate::new().await;
    estate.collector = Some(collector.url());
    let directory = estate.directory().await;
    let control = estate.control(&[("MINT_CHUNK_UNITS", "100")]).await;
    let scan = estate.scan().await;
    let shop = estate.shop(&control).await;

    let units = u32::try_from(CHUNKS * 100).unwrap();
    let path = format!("{}/v1/brands/{}/batches", control.base, shop.brand);
    let order = estate.http.post(path).bearer_auth(&shop.owner.session).header("idempotency-key", "traced");
    let order = order.header("traceparent", parent(MINT)).json(&shop.order(units)).send().await.unwrap();
    assert_eq!(order.status(), 202);
    let batch = text(&order.json().await.unwrap(), "id");
    estate.until(&control, &shop, &batch, "sealed").await;
    let codes = estate.codes(&batch).await;
    // What looks for the batch looks at another code: the traced scan finds nothing in the cache.
    crate::eventually("the batch can be scanned", async || {
        (estate.standing(&scan, &codes[0]).await == "genuine").then_some(())
    })
    .await;
    let request = estate.http.get(format!("{}/{}", scan.base, codes[1].as_str()));
    let request = request.header("user-agent", PHONE).header("accept", "application/json");
    let answer = request.header("traceparent", parent(SCAN)).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["status"], "genuine");

    let control_log = control.log.clone();
    for running in [control, scan, directory] {
        end(running).await;
    }
    let (sent, spans) = collector.stop().await;
    let (mint, scan) = (Trace::of(&spans, MINT), Trace::of(&spans, SCAN));
    assert_whole(&mint);
    assert_mint(&mint);
    assert_whole(&scan);
    assert_scan(&scan);

    let lines = assert_lines(&std::fs::read_to_string(control_log).unwrap());
    let of_job = |line: &&Value| line["message"] == "the job ended" && line["trace_id"] == MINT;
    assert!(lines.iter().find(of_job).is_some_and(|line| line["span"]["job.kind"] == "mint-batch"));

    let mut secrets = Secrets::new();
    secrets.add("the control token", estate.control_token.as_bytes());
    secrets.add_jwt("a session", &shop.owner.session);
    for (name, value) in estate.keys() {
        secrets.add(name, value.as_bytes());
    }
    for code in &codes {
        secrets.add("a code", code.as_str().as_bytes());
        secrets.add("a code in groups", code.grouped().as_bytes());
    }
    assert_eq!(secrets.find(sent.as_bytes()), BTreeSet::new());
    // The search itself: a code in an attribute would be seen.
    assert!(
        !secrets.find(format!("{sent}/01/09506000134352/21/{}", codes[2].as_str()).as_bytes()).is_empty()
    );
}
