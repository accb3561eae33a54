//! Answers that are held back, so that what a handler changed is gone everywhere when its caller has the answer.

use std::time::{Duration, Instant};

use actix_web::web::Data;
use mintmark_web::{Access, Answer, Route, no_content};
use reqwest::Client;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::edge::TestEdge;

const HELD: Duration = Duration::from_millis(100);
/// Longer than any test takes.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// Says when it ran.
async fn act(ran: Data<UnboundedSender<Instant>>) -> Answer {
    ran.send(Instant::now()).unwrap();
    Ok(no_content())
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_that_is_held_back_comes_when_its_time_is_over_and_any_other_at_once() {
    let (ran, mut runs) = unbounded_channel::<Instant>();
    let routes = vec![
        Route::post("/soon", Access::Public, act).answers_after(HELD),
        Route::post("/never", Access::Public, act).answers_after(FOR_EVER).deadline(2 * FOR_EVER),
        Route::post("/late", Access::Public, act).answers_after(FOR_EVER).deadline(HELD),
        Route::post("/now", Access::Public, act),
    ];
    let edge = TestEdge::start_of(routes, |edge| edge.data(ran)).await;
    let post = async |path: &str| Client::new().post(edge.url(path)).send().await.unwrap().status();

    assert_eq!(post("/soon").await, 204);
    assert!(runs.recv().await.unwrap().elapsed() >= HELD, "the handler ran, then its answer was held back");

    // Its handler has run, and it is not answered while another one is, nor afterwards.
    let mut never = std::pin::pin!(post("/never"));
    tokio::select! {
        biased;
        status = &mut never => panic!("answered with {status}"),
        ran = runs.recv() => assert!(ran.is_some()),
    }
    tokio::select! {
        biased;
        status = &mut never => panic!("answered with {status}"),
        status = post("/now") => assert_eq!(status, 204),
    }
    assert!(runs.recv().await.is_some());

    // What holds an answer back is part of what its deadline is about.
    assert_eq!(post("/late").await, 503);
    assert!(runs.recv().await.is_some());
}
