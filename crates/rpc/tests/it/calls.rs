//! What happens to calls that are let in.

use std::time::Duration;

use mintmark_fault::Kind;
use mintmark_rpc::client::Directory;
use mintmark_rpc::{GrpcEdge, authorized, fault_of};
use mintmark_service::Context;
use mintmark_service::telemetry::{LogFilter, Telemetry, metrics_text};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::edge::{Edge, local, put_message, tenant};
use crate::eventually;

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

#[tokio::test]
async fn fault_of_a_handler_arrives_whole() {
    let edge = Edge::start().await;
    let status = edge.client().put_product(edge.put("conflict")).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    let fault = fault_of(&status);
    assert_eq!((fault.kind(), fault.code()), (Kind::Conflict, "STALE_FENCE"));
    assert_eq!(fault.message(), "somebody else has taken over");
    assert_eq!(fault.field_name(), Some("fence"));
    assert_eq!(fault.members()["current"], 7);
}

#[tokio::test]
async fn internal_text_never_leaves() {
    let edge = Edge::start().await;
    for order in ["internal", "raw"] {
        let status = edge.client().put_product(edge.put(order)).await.unwrap_err();
        assert_eq!(reason(&status), "INTERNAL");
        let everything = format!("{status:?} {}", String::from_utf8_lossy(status.details()));
        assert!(!everything.contains("password") && !everything.contains("SELECT"), "{everything}");
    }
}

#[tokio::test]
async fn call_beyond_its_deadline_is_told_so() {
    let edge = Edge::start().await;
    let request = authorized(put_message("stuck"), &edge.publisher(), Duration::from_secs(1));
    let status = edge.client().put_product(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
    assert_eq!(edge.directory.calls(), 1);
}

#[tokio::test]
async fn message_beyond_4_mib_is_refused() {
    let edge = Edge::start().await;
    let status = edge.client().put_product(edge.put(&"x".repeat(5 * 1024 * 1024))).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::OutOfRange, "MESSAGE_TOO_LARGE"));
    edge.client().put_product(edge.put(&"x".repeat(3_500_000))).await.unwrap();
}

#[tokio::test]
async fn calls_beyond_the_limit_are_told_to_come_back() {
    let edge = Edge::start_with(Context::for_tests("directory"), |edge| edge.max_calls(1)).await;
    let directory = Directory::new(&edge.url(), edge.tokens.clone()).unwrap();
    let stream = directory.publish(&tenant(), tokio_stream::pending()).await.unwrap();

    let status = edge.client().put_product(edge.put("x")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "OVERLOADED"));
    assert!(fault_of(&status).retry_delay().is_some());
    // A caller that drops the answer gives its place back, although its chunks never end.
    drop(stream);
    eventually("a free place", async || edge.client().put_product(edge.put("x")).await.is_ok()).await;
}

#[tokio::test]
async fn trace_of_the_caller_goes_on_in_the_handler() {
    let filter: LogFilter = "info".parse().unwrap();
    let _telemetry = Telemetry::install_to("rpc-test", filter, None, std::io::sink).unwrap();
    let edge = Edge::start().await;
    let mut request = edge.put("x");
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace}-b7ad6b7169203331-01").parse().unwrap();
    request.metadata_mut().insert("traceparent", parent);
    edge.client().put_product(request).await.unwrap();
    assert_eq!(edge.directory.seen.lock().unwrap().traces, [Some(trace.to_owned())]);

    // And from span to call, through our own client side.
    let span = tracing::info_span!("caller");
    let expected = mintmark_service::telemetry::trace_id(&span);
    let request = span.in_scope(|| edge.put("x"));
    edge.client().put_product(request).await.unwrap();
    assert!(expected.is_some());
    assert_eq!(edge.directory.seen.lock().unwrap().traces[1], expected);
}

#[tokio::test]
async fn calls_are_counted_by_method_and_code() {
    let edge = Edge::start().await;
    edge.client().put_product(edge.put("x")).await.unwrap();
    edge.client().put_product(put_message("x")).await.unwrap_err();
    let row = |code: &str| {
        let text = metrics_text();
        text.lines().any(|line| {
            line.starts_with("rpc_server_duration_seconds_count{")
                && line.contains(&format!(r#"code="{code}""#))
                && line.contains(r#"method="PutProduct""#)
                && line.contains(r#"service="mintmark.directory.v1.DirectoryService""#)
        })
    };
    for code in ["0", "16"] {
        eventually("a measurement", async || row(code)).await;
    }
}

#[tokio::test]
async fn shutdown_lets_a_call_under_way_finish() {
    let mut edge = Edge::start().await;
    let mut client = edge.client();
    let request = edge.put("held");
    let call = tokio::spawn(async move { client.put_product(request).await });
    eventually("the call has begun", async || edge.directory.calls() == 1).await;
    edge.context.shutdown.trigger();
    eventually("the port is closed", async || tokio::net::TcpStream::connect(edge.addr).await.is_err()).await;
    assert!(!edge.served.is_finished());
    edge.directory.release.notify_one();
    assert_eq!(call.await.unwrap().unwrap().into_inner().version, 4);
    (&mut edge.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let mut context = Context::for_tests("directory");
    context.shutdown_grace = Duration::from_millis(50);
    let mut edge = Edge::start_with(context, |edge| edge).await;
    let mut client = edge.client();
    let request = edge.put("stuck");
    let _call = tokio::spawn(async move { client.put_product(request).await });
    eventually("the call has begun", async || edge.directory.calls() == 1).await;
    edge.context.shutdown.trigger();
    tokio::time::timeout(Duration::from_secs(10), &mut edge.served).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn bind_on_a_taken_port_names_the_variable() {
    let edge = Edge::start().await;
    let context = Context::for_tests("directory");
    let second = GrpcEdge::health_only("directory").configured_by("DIRECTORY_GRPC_ADDR");
    let error = second.bind(local(edge.addr.port()), &context).await.err().unwrap();
    assert!(error.to_string().starts_with("DIRECTORY_GRPC_ADDR 127.0.0.1:"), "{error}");
    assert!(error.to_string().contains("is in use"), "{error}");
}

#[tokio::test]
async fn opens_after_refuses_who_connects_until_then() {
    let (opens, opened) = tokio::sync::oneshot::channel::<()>();
    let ready = async move { opened.await.unwrap() };
    let edge = Edge::start_with(Context::for_tests("directory"), |edge| edge.opens_after(ready)).await;
    let early = tokio::net::TcpStream::connect(edge.addr).await.unwrap_err();
    assert_eq!(early.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(!edge.context.health.gates()["grpc"]);
    opens.send(()).unwrap();
    eventually("the port is open", async || edge.context.health.gates()["grpc"]).await;
    edge.client().put_product(edge.put("x")).await.unwrap();
    edge.stop().await;
}

#[tokio::test]
async fn opens_after_what_never_comes_still_ends_when_it_shall() {
    let never = std::future::pending();
    let edge = Edge::start_with(Context::for_tests("directory"), |edge| edge.opens_after(never)).await;
    edge.stop().await;
}
