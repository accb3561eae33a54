//! Where credentials are judged, and what becomes of that when the request is gone.

use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::Duration;

use mintmark_auth::Principal;
use mintmark_fault::Fault;
use mintmark_web::{Access, Authenticate, BoxFuture, Credentials, Route, no_content};
use reqwest::{Client, StatusCode};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::edge::TestEdge;

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a [`Slow`] gate says: the thread that it was asked on, and then that nobody waits any more.
enum Said {
    Asked(ThreadId),
    Gone,
}

/// Never comes to a conclusion, or panics.
struct Slow {
    says: UnboundedSender<Said>,
    panics: bool,
}

struct Going(UnboundedSender<Said>);

impl Drop for Going {
    fn drop(&mut self) {
        let _ended = self.0.send(Said::Gone);
    }
}

impl Authenticate for Slow {
    fn authenticate(&self, _: Access, _: Credentials) -> BoxFuture<'_, Result<Principal, Fault>> {
        Box::pin(async {
            let _going = Going(self.says.clone());
            let _ended = self.says.send(Said::Asked(thread::current().id()));
            assert!(!self.panics, "a mistake in the gate");
            std::future::pending().await
        })
    }
}

async fn start(panics: bool) -> (TestEdge, UnboundedReceiver<Said>) {
    let (says, said) = mpsc::unbounded_channel();
    let deadline = if panics { PATIENCE } else { Duration::from_secs(1) };
    let routes = vec![Route::get("/session", Access::Session, async || no_content()).deadline(deadline)];
    let edge = TestEdge::start_of(routes, |edge| edge.authenticate(Arc::new(Slow { says, panics }))).await;
    (edge, said)
}

async fn next(said: &mut UnboundedReceiver<Said>) -> Said {
    tokio::time::timeout(PATIENCE, said.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn credentials_are_judged_at_home_and_no_longer_than_the_request_lasts() {
    let (edge, mut said) = start(false).await;
    let response = Client::new().get(edge.url("/session")).bearer_auth("a.b.c").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "the deadline is the edge's own");
    // This test's runtime has one thread, and it is the home of the edge.
    let Said::Asked(thread) = next(&mut said).await else { panic!("nobody was asked") };
    assert_eq!(thread, thread::current().id(), "not on a worker of the HTTP server");
    assert!(matches!(next(&mut said).await, Said::Gone), "the question went with the request");
    edge.stop().await;
}

#[tokio::test]
async fn gate_that_panics_lets_nobody_in_and_says_nothing() {
    let (edge, _said) = start(true).await;
    let response = Client::new().get(edge.url("/session")).bearer_auth("a.b.c").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = response.text().await.unwrap();
    assert!(body.contains("INTERNAL") && !body.contains("mistake"), "{body}");
    edge.stop().await;
}
