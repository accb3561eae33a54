use std::time::{Duration, Instant};

use mintmark_service::Context;
use mintmark_web::{Access, Edge, Route, no_content};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::edge::{ANY_PORT, TestEdge, routes};

#[tokio::test(flavor = "multi_thread")]
async fn bind_of_a_taken_port_names_the_variable() {
    let first = TestEdge::start().await;
    let taken = first.url.trim_start_matches("http://").parse().unwrap();
    let edge = Edge::new("example", Vec::new()).address_variable("EXAMPLE_HTTP_ADDR");
    let error = edge.bind(taken, &first.context).await.unwrap_err();
    let sentence = "is in use: stop the other program or set EXAMPLE_HTTP_ADDR to a free address";
    assert!(error.to_string().ends_with(sentence), "{error}");
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bind_of_a_faulty_table_is_refused() {
    let context = Context::for_tests("example");
    let error = Edge::new("example", routes()).bind(ANY_PORT, &context).await.unwrap_err();
    assert!(error.to_string().contains("POST /v1/things ControlToken needs credentials"), "{error}");
    let twice = || Route::get("/a", Access::Public, async || no_content());
    let error = Edge::new("example", vec![twice(), twice()]).bind(ANY_PORT, &context).await.unwrap_err();
    assert!(error.to_string().contains("stands twice"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_after_shutdown_answers_what_is_under_way_and_closes_idle_connections() {
    let slow = Route::post("/slow", Access::Public, async |body: actix_web::web::Bytes| body);
    let context = Context::for_tests("example");
    let running = Edge::new("example", vec![slow]).workers(1).bind(ANY_PORT, &context).await.unwrap();
    let addr = running.addr;
    let serving = tokio::spawn(running.serve(context.shutdown.clone()));

    let head = "POST /slow HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n";
    let mut idle = TcpStream::connect(addr).await.unwrap();
    idle.write_all(format!("{head}first").as_bytes()).await.unwrap();
    read_until(&mut idle, "first").await;
    assert!(context.health.ready());

    let mut busy = TcpStream::connect(addr).await.unwrap();
    busy.write_all(format!("{head}ab").as_bytes()).await.unwrap();
    // Answered on another connection of the same worker after it: the request above is under way.
    let mut probe = TcpStream::connect(addr).await.unwrap();
    probe.write_all(format!("{head}probe").as_bytes()).await.unwrap();
    read_until(&mut probe, "probe").await;

    let asked = Instant::now();
    context.shutdown.trigger();
    assert!(!context.health.ready());
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    busy.write_all(b"cde").await.unwrap();
    read_until(&mut busy, "abcde").await;
    serving.await.unwrap().unwrap();
    assert!(
        asked.elapsed() < Duration::from_secs(4),
        "an idle connection must not use up the grace of 5 seconds"
    );
    assert!(TcpStream::connect(addr).await.is_err(), "nobody listens any more");
}

async fn read_until(stream: &mut TcpStream, end: &str) {
    let mut seen = Vec::new();
    let reading = async {
        while !seen.ends_with(end.as_bytes()) {
            assert_ne!(
                stream.read_buf(&mut seen).await.unwrap(),
                0,
                "closed early: {}",
                String::from_utf8_lossy(&seen)
            );
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading).await.unwrap();
}
