use std::net::SocketAddr;

use mintmark_service::ops::OpsServer;
use mintmark_service::{Context, telemetry};
use serde_json::{Value, json};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

async fn get(ops: &OpsServer, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("http://{}{path}", ops.addr)).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn readyz_follows_the_gates_and_the_shutdown() {
    let context = Context::for_tests("example");
    let gate = context.health.gate("postgres");
    let ops = OpsServer::start(ANY_PORT, &context).unwrap();
    let ready = async |context: &Context| {
        let (status, body) = get(&ops, "/readyz").await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["shuttingDown"], context.shutdown.is_requested());
        (status, body["gates"].clone())
    };
    assert_eq!(ready(&context).await, (503, json!({"postgres": false})));
    gate.set(true);
    assert_eq!(ready(&context).await, (200, json!({"postgres": true})));
    context.shutdown.trigger();
    assert_eq!(ready(&context).await, (503, json!({"postgres": true})));
    assert_eq!(get(&ops, "/healthz").await.0, 200, "alive while it drains");
    ops.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_served_as_prometheus_text() {
    let context = Context::for_tests("example");
    let ops = OpsServer::start(ANY_PORT, &context).unwrap();
    telemetry::meter().u64_counter("example.seen").build().add(3, &[]);
    let (status, text) = get(&ops, "/metrics").await;
    assert_eq!(status, 200);
    assert!(text.contains("example_seen_total 3"), "{text}");
    ops.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn start_on_a_taken_port_says_what_to_do() {
    let context = Context::for_tests("example");
    let first = OpsServer::start(ANY_PORT, &context).unwrap();
    let error = OpsServer::start(first.addr, &context).unwrap_err().to_string();
    assert!(
        error.ends_with("is in use: stop the other program or set OPS_ADDR to a free address"),
        "{error}"
    );
    first.stop().await;
}
