//! A rolling upgrade, as Kubernetes makes one: under load the databases are migrated, and then each process of each service
//! is replaced, one after the other. No scan fails, no request of a person fails, every batch and every preflight job comes to its
//! end, no evidence is lost, and both audit logs go on.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a panic in a test is its report")]

mod errands;
mod front;
mod keys;
mod load;
mod person;
mod places;
mod replica;
mod schema;
mod stage;
mod verify;
mod work;

use std::time::{Duration, Instant};

use crate::load::Load;
use crate::stage::Stage;
use crate::work::Work;

const EVERYTHING: &[Work] =
    &[Work::Mints, Work::Preflight, Work::Evidence, Work::Pages, Work::VaultLog, Work::ControlLog];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replacing_every_process_under_a_migration_fails_no_scan_and_no_mint() {
    let began = Instant::now();
    let mut stage = Stage::start().await;
    let mut load = Load::begin(&stage).await;
    println!("upgrade: {:?}: all are there", began.elapsed());

    // First the schemas, under programs that know nothing of it.
    stage.databases.migrate().await;
    load.dispute(&stage);
    load.goes_on(&stage, EVERYTHING).await;
    stage.databases.expand().await;
    load.goes_on(&stage, EVERYTHING).await;
    println!("upgrade: {:?}: the databases were migrated", began.elapsed());

    // Then the programs, those first that others call.
    for service in 0..stage.services.len() {
        let needed_by = stage.services[service].needed_by;
        if !stage.services[service..].iter().any(|it| it.needed_by.contains(&Work::Mints)) {
            load.stop_ordering();
        }
        for which in 0..2 {
            load.is_minting(&stage, &stage.services[service].replicas[which]).await;
            stage.take(service, which).await;
            // The other one has all the work.
            load.goes_on(&stage, needed_by).await;
            stage.put(service, which).await;
            let name = stage.services[service].replicas[which].name();
            load.goes_on(&stage, needed_by).await;
            println!("upgrade: {:?}: {name} was replaced", began.elapsed());
        }
    }

    let outcome = load.end(&stage).await;
    verify::all(&stage, &outcome).await;
    println!("upgrade: {:?}: {} batches, and none of these failed:", began.elapsed(), outcome.batches.len());
    for work in [Work::Scans, Work::Requests, Work::Preflight, Work::Evidence, Work::Pages] {
        println!("upgrade: {work:?}: {}", outcome.progress.of(work));
    }
}

/// Waits for something with a bound; what it waits for takes a moment on a quiet machine.
async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come true within a minute");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
