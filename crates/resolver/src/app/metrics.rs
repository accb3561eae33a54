//! Numbers about scans and publishing, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use mintmark_service::telemetry::{Durations, durations_by, meter};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter};

use super::directory_state::DirectoryState;
use super::verdict::Outcome;

/// Upper bounds in seconds: a scan out of the cache takes some microseconds, one look-up about a millisecond, and after two
/// seconds nothing can be confirmed any more.
const SCAN_BUCKETS: [f64; 13] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

static DURATIONS: LazyLock<[Durations; Outcome::ALL.len()]> = LazyLock::new(|| {
    let about = "How long scans took to be judged, by what they came to";
    durations_by("scan_duration_seconds", about, &SCAN_BUCKETS, "outcome", Outcome::ALL.map(Outcome::as_str))
});

/// Counters of the scan role: numbers of our own, which whoever reads `/metrics` is shown. Looking an instrument's labels
/// up for each scan costs more than all else that a scan counts.
pub struct ScanMetrics {
    counts: Arc<Counts>,
    durations: &'static [Durations; Outcome::ALL.len()],
}

#[derive(Default)]
struct Counts {
    scans: [AtomicU64; Outcome::ALL.len()],
    cache_hits: AtomicU64,
    cache_misses: AtomicU64,
}

impl ScanMetrics {
    /// Registers the counters, and a gauge of the state's age.
    pub fn new(state: &Arc<DirectoryState>) -> Self {
        let meter = meter();
        let state = Arc::downgrade(state);
        meter
            .f64_observable_gauge("scan_state_age_seconds")
            .with_description("how long ago the database last confirmed the state of publications")
            .with_callback(move |gauge| {
                if let Some(age) = state.upgrade().and_then(|state| state.age()) {
                    gauge.observe(age.as_secs_f64(), &[]);
                }
            })
            .build();
        let counts = Arc::new(Counts::default());
        let of = Arc::downgrade(&counts);
        meter
            .u64_observable_counter("scan")
            .with_description("scans by what they came to")
            .with_callback(move |counter| {
                let Some(counts) = of.upgrade() else { return };
                for (outcome, count) in Outcome::ALL.into_iter().zip(&counts.scans) {
                    let label = KeyValue::new("outcome", outcome.as_str());
                    counter.observe(count.load(Ordering::Relaxed), &[label]);
                }
            })
            .build();
        let hits = "codes found in the cache, known absences included";
        show(&meter, "scan_cache_hits", hits, &counts, |counts| &counts.cache_hits);
        let misses = "codes for which the database was asked";
        show(&meter, "scan_cache_misses", misses, &counts, |counts| &counts.cache_misses);
        ScanMetrics { counts, durations: &DURATIONS }
    }

    /// A scan was judged, and took so long.
    pub fn scanned(&self, outcome: Outcome, took: Duration) {
        self.counts.scans[outcome as usize].fetch_add(1, Ordering::Relaxed);
        self.durations[outcome as usize].record(took);
    }

    /// The cache knew the code.
    pub fn cache_hit(&self) {
        self.counts.cache_hits.fetch_add(1, Ordering::Relaxed);
    }

    /// It did not.
    pub fn cache_miss(&self) {
        self.counts.cache_misses.fetch_add(1, Ordering::Relaxed);
    }
}

/// A counter that shows one of the numbers, as long as they are there.
fn show(
    meter: &Meter,
    name: &'static str,
    description: &'static str,
    counts: &Arc<Counts>,
    which: fn(&Counts) -> &AtomicU64,
) {
    let of = Arc::downgrade(counts);
    meter
        .u64_observable_counter(name)
        .with_description(description)
        .with_callback(move |counter| {
            if let Some(counts) = of.upgrade() {
                counter.observe(which(&counts).load(Ordering::Relaxed), &[]);
            }
        })
        .build();
}

/// Counters of the directory role.
#[derive(Clone)]
pub struct PublishMetrics {
    rows: Counter<u64>,
    chunks: Counter<u64>,
    repeated: Counter<u64>,
    refused: Counter<u64>,
}

impl PublishMetrics {
    /// Registers the counters.
    pub fn new() -> Self {
        let meter = meter();
        PublishMetrics {
            rows: meter
                .u64_counter("publish_rows")
                .with_description("codes written to the directory")
                .build(),
            chunks: meter
                .u64_counter("publish_chunks")
                .with_description("chunks written to the directory")
                .build(),
            repeated: meter
                .u64_counter("publish_chunks_repeated")
                .with_description("chunks that the ledger had already")
                .build(),
            refused: meter
                .u64_counter("publish_chunks_refused")
                .with_description("chunks that were not written, by the code of the refusal")
                .build(),
        }
    }

    /// A chunk was committed.
    pub fn chunk(&self, rows: u64) {
        self.rows.add(rows, &[]);
        self.chunks.add(1, &[]);
    }

    /// A chunk came that was there already: its publisher had not heard of the commit.
    pub fn repeated(&self) {
        self.repeated.add(1, &[]);
    }

    /// A chunk was not written. `STALE_FENCE`: its publisher was replaced.
    pub fn refused(&self, code: &str) {
        self.refused.add(1, &[KeyValue::new("code", code.to_owned())]);
    }
}

impl Default for PublishMetrics {
    fn default() -> Self {
        PublishMetrics::new()
    }
}
