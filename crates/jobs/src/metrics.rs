//! What an operator watches.

use std::sync::LazyLock;
use std::time::Duration;

use mintmark_db::Pool;
use mintmark_fault::Chain;
use mintmark_service::telemetry::meter;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge};
use tokio_util::sync::CancellationToken;

use crate::store;

/// How often the depth of the queue is counted.
const SAMPLE_EVERY: Duration = Duration::from_secs(10);
/// The states whose depth is shown; the others only grow.
const STATES: [&str; 3] = ["queued", "running", "dead"];

static CLAIMED: LazyLock<Counter<u64>> =
    LazyLock::new(|| meter().u64_counter("jobs.claimed").with_description("Claims of jobs").build());
static LEASE_LOST: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter().u64_counter("jobs.lease.lost").with_description("Claims that a worker lost or gave up").build()
});
static FINISHED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter().u64_counter("jobs.finished").with_description("Ends of attempts, by how they ended").build()
});
static DEPTH: LazyLock<Gauge<u64>> =
    LazyLock::new(|| meter().u64_gauge("jobs.queue.depth").with_description("Jobs by state").build());
static OLDEST: LazyLock<Gauge<f64>> = LazyLock::new(|| {
    meter()
        .f64_gauge("jobs.oldest.age")
        .with_unit("s")
        .with_description("How long the oldest waiting job has been due")
        .build()
});

pub(crate) fn claimed(kind: &'static str) {
    CLAIMED.add(1, &[KeyValue::new("kind", kind)]);
}

pub(crate) fn lease_lost(kind: &'static str) {
    LEASE_LOST.add(1, &[KeyValue::new("kind", kind)]);
}

pub(crate) fn finished(kind: &'static str, outcome: &'static str) {
    FINISHED.add(1, &[KeyValue::new("kind", kind), KeyValue::new("outcome", outcome)]);
}

/// Counts the queue now and then until `stop`.
pub(crate) async fn sample(pool: Pool, kinds: Vec<&'static str>, stop: CancellationToken) {
    loop {
        if let Err(error) = sample_once(&pool, &kinds).await {
            tracing::debug!(error = %Chain(&error), "the queue could not be counted");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SAMPLE_EVERY) => {}
        }
    }
}

async fn sample_once(pool: &Pool, kinds: &[&'static str]) -> mintmark_fault::Result<()> {
    let mut conn = pool.get().await?;
    let rows = store::depths(&mut conn, kinds).await?;
    for &kind in kinds {
        let of = |state: &str| rows.iter().find(|row| row.kind == kind && row.state == state);
        for state in STATES {
            let jobs = of(state).map_or(0, |row| row.jobs.unsigned_abs());
            DEPTH.record(jobs, &[KeyValue::new("kind", kind), KeyValue::new("state", state)]);
        }
        OLDEST.record(of("queued").map_or(0.0, |row| row.age), &[KeyValue::new("kind", kind)]);
    }
    Ok(())
}
