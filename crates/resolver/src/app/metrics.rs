//! Numbers about scans and publishing, for `/metrics`.

use std::sync::Arc;

use mintmark_service::telemetry::meter;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

use super::directory_state::DirectoryState;
use super::verdict::Outcome;

/// Counters of the scan role; their labels are made once.
pub struct ScanMetrics {
    scans: Counter<u64>,
    cache_hits: Counter<u64>,
    cache_misses: Counter<u64>,
    labels: [[KeyValue; 1]; Outcome::ALL.len()],
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
        ScanMetrics {
            scans: meter.u64_counter("scan").with_description("scans by what they came to").build(),
            cache_hits: meter
                .u64_counter("scan_cache_hits")
                .with_description("codes found in the cache, known absences included")
                .build(),
            cache_misses: meter
                .u64_counter("scan_cache_misses")
                .with_description("codes for which the database was asked")
                .build(),
            labels: Outcome::ALL.map(|outcome| [KeyValue::new("outcome", outcome.as_str())]),
        }
    }

    /// A scan was judged.
    pub fn scanned(&self, outcome: Outcome) {
        self.scans.add(1, &self.labels[outcome as usize]);
    }

    /// The cache knew the code.
    pub fn cache_hit(&self) {
        self.cache_hits.add(1, &[]);
    }

    /// It did not.
    pub fn cache_miss(&self) {
        self.cache_misses.add(1, &[]);
    }
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
