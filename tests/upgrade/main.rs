//! A rolling upgrade, as Kubernetes makes one: under load the databases are migrated, and then each process of each service
//! is replaced, one after the other. No scan fails, no request of a person fails, and every batch comes out whole.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a panic in a test is its report")]

mod front;
mod load;
mod replica;
mod schema;
mod stage;
mod verify;

use std::time::{Duration, Instant};

use crate::load::Load;
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replacing_every_process_under_a_migration_fails_no_scan_and_no_mint() {
    let mut stage = Stage::start().await;
    let mut load = Load::begin(&stage).await;

    // First the schema, under programs that know nothing of it.
    stage.migrate().await;
    load.goes_on(&stage).await;

    // Then the programs, those first that others call.
    for replicas in 0..stage.replicas.len() {
        for which in 0..2 {
            load.is_minting(&stage, &stage.replicas[replicas][which]).await;
            let began = Instant::now();
            stage.take(replicas, which).await;
            // The other one has all the work.
            load.goes_on(&stage).await;
            stage.put(replicas, which).await;
            let name = stage.replicas[replicas][which].name();
            println!("upgrade: {name} was replaced within {:?}", began.elapsed());
            load.goes_on(&stage).await;
        }
    }

    let outcome = load.end(&stage).await;
    verify::all(&stage, &outcome).await;
    let (scans, reads, batches) = (outcome.scans, outcome.reads, outcome.batches.len());
    println!("upgrade: {scans} scans, {reads} requests and {batches} batches, none failed");
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
