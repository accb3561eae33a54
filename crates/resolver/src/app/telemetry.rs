//! Telemetry of scans: a bounded buffer before one task that writes batches.
//!
//! A scan never waits for it. While the database is away rows wait in the buffer; when that is full they are dropped
//! and counted. `kill -9` loses what is buffered (at most half a second while the database is well).

use std::time::Duration;

use chrono::{DateTime, Utc};
use mintmark_fault::Chain;
use opentelemetry::metrics::Counter;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::network::Network;
use super::verdict::Outcome;
use super::visitor::DeviceClass;
use crate::store::scan_event::ScanEventSink;

/// Rows that wait at most; about 6 MB.
const BUFFER_ROWS: usize = 65_536;
/// Rows of one COPY.
const BATCH_ROWS: usize = 5_000;
/// How long the first row of a batch waits for company.
const BATCH_WAIT: Duration = Duration::from_millis(500);
/// Longest pause between two attempts while the database is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One scan by a person, as coarse as it is kept.
#[derive(Clone, Copy, Debug)]
pub struct ScanEvent {
    /// When, in UTC.
    pub at: DateTime<Utc>,
    /// The publication of the code, where there is one.
    pub publication: Option<i32>,
    /// The unit's serial number.
    pub serial: Option<i64>,
    /// What it came to.
    pub outcome: Outcome,
    /// The kind of device.
    pub device: DeviceClass,
    /// The block of addresses.
    pub network: Network,
}

/// Where scans leave their rows. Cheap to clone.
#[derive(Clone)]
pub struct Telemetry {
    sender: mpsc::Sender<ScanEvent>,
    dropped: Counter<u64>,
}

impl Telemetry {
    /// The buffer, and the writer that must be run at its other end.
    pub fn new(sink: ScanEventSink) -> (Self, TelemetryWriter) {
        let meter = mintmark_service::telemetry::meter();
        let (sender, receiver) = mpsc::channel(BUFFER_ROWS);
        let dropped = meter
            .u64_counter("telemetry_dropped")
            .with_description("scan rows lost because the buffer was full or the process ended")
            .build();
        let written = meter
            .u64_counter("telemetry_written")
            .with_description("scan rows written to the database")
            .build();
        let waiting = sender.downgrade();
        meter
            .u64_observable_gauge("telemetry_buffered")
            .with_description("scan rows that wait for the database")
            .with_callback(move |gauge| {
                let rows = waiting.upgrade().map_or(0, |sender| BUFFER_ROWS - sender.capacity());
                gauge.observe(rows as u64, &[]);
            })
            .build();
        let writer = TelemetryWriter { receiver, sink, written, dropped: dropped.clone() };
        (Telemetry { sender, dropped }, writer)
    }

    /// Leaves a row; never waits.
    pub fn record(&self, event: ScanEvent) {
        if self.sender.try_send(event).is_err() {
            self.dropped.add(1, &[]);
        }
    }
}

/// The task that writes.
pub struct TelemetryWriter {
    receiver: mpsc::Receiver<ScanEvent>,
    sink: ScanEventSink,
    written: Counter<u64>,
    dropped: Counter<u64>,
}

impl TelemetryWriter {
    /// Writes until `finish`, then what is left, and returns.
    pub async fn run(mut self, finish: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH_ROWS);
        while self.gather(&mut batch, &finish).await {
            self.write(&mut batch, &finish).await;
        }
    }

    /// Fills the batch; false when there will be nothing more.
    async fn gather(&mut self, batch: &mut Vec<ScanEvent>, finish: &CancellationToken) -> bool {
        tokio::select! {
            received = self.receiver.recv_many(batch, BATCH_ROWS) => if received == 0 { return false },
            () = finish.cancelled(), if !self.receiver.is_closed() => self.receiver.close(),
        }
        let deadline = Instant::now() + BATCH_WAIT;
        while batch.len() < BATCH_ROWS && !finish.is_cancelled() {
            let room = BATCH_ROWS - batch.len();
            tokio::select! {
                received = timeout_at(deadline, self.receiver.recv_many(batch, room)) => match received {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                },
                () = finish.cancelled() => self.receiver.close(),
            }
        }
        true
    }

    /// Writes the batch, however long the database is away; after `finish` it is tried once more.
    async fn write(&mut self, batch: &mut Vec<ScanEvent>, finish: &CancellationToken) {
        let rows = batch.len() as u64;
        let mut pause = Duration::from_millis(100);
        while !batch.is_empty() {
            let last_attempt = finish.is_cancelled();
            match self.sink.append(batch).await {
                Ok(()) => {
                    self.written.add(rows, &[]);
                    batch.clear();
                }
                Err(fault) if last_attempt => {
                    let error = Chain(&fault);
                    tracing::error!(rows, %error, "scan rows are lost: the database was away at the end");
                    self.dropped.add(rows, &[]);
                    batch.clear();
                }
                Err(fault) => {
                    tracing::warn!(rows, error = %Chain(&fault), "scan rows wait: the database did not take them");
                    tokio::select! {
                        () = sleep(pause) => {}
                        () = finish.cancelled() => {}
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}
