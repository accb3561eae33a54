//! Numbers about telemetry itself: what was written, what waits where, what was lost and why.

use std::sync::Arc;

use mintmark_service::telemetry::meter;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

use super::buffer::Buffer;
use super::spool::Spool;

/// Why rows were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// More scans came than could be written or spooled.
    BufferFull,
    /// The spool holds what it may.
    SpoolFull,
    /// A file of the spool is damaged.
    SpoolDamaged,
    /// The process ended while the database was away and there was no spool that could take them.
    Ended,
    /// The database refuses the rows themselves.
    Refused,
}

impl Lost {
    const ALL: [Lost; 5] =
        [Lost::BufferFull, Lost::SpoolFull, Lost::SpoolDamaged, Lost::Ended, Lost::Refused];

    fn as_str(self) -> &'static str {
        match self {
            Lost::BufferFull => "buffer_full",
            Lost::SpoolFull => "spool_full",
            Lost::SpoolDamaged => "spool_damaged",
            Lost::Ended => "ended",
            Lost::Refused => "refused",
        }
    }
}

/// The counters. Cheap to clone.
#[derive(Clone)]
pub struct Meters {
    written: Counter<u64>,
    spooled: Counter<u64>,
    dropped: Counter<u64>,
    reasons: [[KeyValue; 1]; Lost::ALL.len()],
}

impl Meters {
    /// Registers them; each reason is there from the first moment, so that an alert can be set on it.
    pub fn new() -> Self {
        let counter = |name, about| meter().u64_counter(name).with_description(about).build();
        let meters = Meters {
            written: counter("telemetry_written", "scan rows written to the database"),
            spooled: counter("telemetry_spooled", "scan rows that went to the spool first"),
            dropped: counter("telemetry_dropped", "scan rows lost, by reason"),
            reasons: Lost::ALL.map(|reason| [KeyValue::new("reason", reason.as_str())]),
        };
        meters.written.add(0, &[]);
        meters.spooled.add(0, &[]);
        for reason in Lost::ALL {
            meters.lost(reason, 0);
        }
        meters
    }

    /// Rows are in the database.
    pub fn written(&self, rows: usize) {
        self.written.add(rows as u64, &[]);
    }

    /// Rows are in the spool.
    pub fn spooled(&self, rows: usize) {
        self.spooled.add(rows as u64, &[]);
    }

    /// Rows are lost.
    pub fn lost(&self, reason: Lost, rows: u64) {
        self.dropped.add(rows, &self.reasons[reason as usize]);
    }
}

/// Shows how many rows wait in memory.
pub fn watch_buffer(buffer: &Arc<Buffer>) {
    let buffer = Arc::downgrade(buffer);
    meter()
        .u64_observable_gauge("telemetry_buffered")
        .with_description("scan rows that wait in memory")
        .with_callback(move |gauge| {
            let rows = buffer.upgrade().map_or(0, |buffer| buffer.rows());
            gauge.observe(rows as u64, &[]);
        })
        .build();
}

/// Shows how much waits on disk.
pub fn watch_spool(spool: &Arc<Spool>) {
    let (bytes, segments) = (Arc::downgrade(spool), Arc::downgrade(spool));
    meter()
        .u64_observable_gauge("telemetry_spooled_bytes")
        .with_description("bytes of scan rows that wait in the spool")
        .with_callback(move |gauge| gauge.observe(bytes.upgrade().map_or(0, |spool| spool.bytes()), &[]))
        .build();
    meter()
        .u64_observable_gauge("telemetry_spooled_segments")
        .with_description("segments of scan rows that wait in the spool")
        .with_callback(move |gauge| {
            gauge.observe(segments.upgrade().map_or(0, |spool| spool.segments()), &[]);
        })
        .build();
}
