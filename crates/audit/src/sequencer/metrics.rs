//! What an operator sees of the sequencer.

use std::time::{Duration, SystemTime};

use mintmark_service::telemetry;
use opentelemetry::metrics::{Counter, Gauge};
use uuid::Uuid;

/// Its instruments.
pub(super) struct Metrics {
    leaves: Counter<u64>,
    batches: Counter<u64>,
    checkpoints: Counter<u64>,
    pending: Gauge<u64>,
    lag: Gauge<f64>,
    checkpoint_age: Gauge<f64>,
    gate: Gauge<u64>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let meter = telemetry::meter();
        Self {
            leaves: meter.u64_counter("audit.leaves").with_description("Entries that the log took").build(),
            batches: meter
                .u64_counter("audit.batches")
                .with_description("Transactions in which the log took entries")
                .build(),
            checkpoints: meter
                .u64_counter("audit.checkpoints")
                .with_description("Checkpoints signed and kept outside the database")
                .build(),
            pending: meter
                .u64_gauge("audit.pending")
                .with_description("Entries that the log does not hold yet, counted up to 100,000")
                .build(),
            lag: meter
                .f64_gauge("audit.lag.seconds")
                .with_description("Age of the oldest entry that the log does not hold yet")
                .build(),
            checkpoint_age: meter
                .f64_gauge("audit.checkpoint.age.seconds")
                .with_description("Time since something unsigned came into the log; 0 where all is signed")
                .build(),
            gate: meter
                .u64_gauge("audit.gate.open")
                .with_description("1 while the database continues the newest checkpoint kept outside of it")
                .build(),
        }
    }

    pub(super) fn appended(&self, leaves: u64) {
        self.leaves.add(leaves, &[]);
        self.batches.add(1, &[]);
    }

    pub(super) fn signed(&self) {
        self.checkpoints.add(1, &[]);
    }

    pub(super) fn sound(&self, sound: bool) {
        self.gate.record(u64::from(sound), &[]);
    }

    pub(super) fn pending(&self, count: i64, oldest: Option<Uuid>) {
        self.pending.record(count.unsigned_abs(), &[]);
        self.lag.record(oldest.and_then(age).unwrap_or_default().as_secs_f64(), &[]);
    }

    pub(super) fn unsigned_for(&self, unsigned: Option<Duration>) {
        self.checkpoint_age.record(unsigned.unwrap_or_default().as_secs_f64(), &[]);
    }
}

/// How long ago an entry got its id.
fn age(id: Uuid) -> Option<Duration> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    let made = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
    SystemTime::now().duration_since(made).ok()
}
