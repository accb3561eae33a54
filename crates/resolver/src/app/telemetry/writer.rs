//! Gathers rows into segments and sees each of them to a place: the database, or the spool.

use std::sync::Arc;
use std::time::Duration;

use mintmark_fault::Chain;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::ScanEvent;
use super::buffer::Buffer;
use super::meters::{Lost, Meters};
use super::segment::Segment;
use super::spool::{Kept, Spool};
use crate::store::scan_event::{Appended, SegmentSink};

/// How long the first row of a segment waits for company.
const GATHER_FOR: Duration = Duration::from_millis(500);
/// How long the database is given where there is a spool: longer would be lost by a `kill -9`.
const SPOOL_AFTER: Duration = Duration::from_millis(500);
/// How long it is given where there is none.
const WITHOUT_SPOOL: Duration = Duration::from_secs(10);
/// First and longest pause between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The task that writes.
pub struct Writer {
    pub buffer: Arc<Buffer>,
    pub sink: SegmentSink,
    pub spool: Option<Arc<Spool>>,
    pub meters: Meters,
    /// Told when something went to the spool.
    pub spooled: Arc<Notify>,
}

impl Writer {
    /// Writes until `finish`, then what is left, and returns.
    pub async fn run(mut self, finish: CancellationToken) {
        while let Some(rows) = self.gather(&finish).await {
            self.settle(Segment::new(rows), &finish).await;
        }
    }

    /// The rows of the next segment; none when there will be nothing more.
    async fn gather(&self, finish: &CancellationToken) -> Option<Vec<ScanEvent>> {
        tokio::select! {
            () = self.buffer.has_some() => {}
            () = finish.cancelled() => {}
        }
        if finish.is_cancelled() {
            return if self.buffer.close() { None } else { Some(self.buffer.take()) };
        }
        tokio::select! {
            () = self.buffer.has_segment() => {}
            () = sleep(GATHER_FOR) => {}
            () = finish.cancelled() => {}
        }
        Some(self.buffer.take())
    }

    /// Returns when the segment is in the database or in the spool, or counted as lost.
    async fn settle(&mut self, segment: Segment, finish: &CancellationToken) {
        let segment = Arc::new(segment);
        let mut pause = PAUSES.0;
        loop {
            // Looked at before the attempt: after `finish` it is tried once more.
            let last_attempt = finish.is_cancelled();
            if self.database_comes_first() && self.write(&segment).await {
                return;
            }
            if self.keep(&segment).await {
                return;
            }
            if last_attempt {
                let rows = segment.events.len();
                tracing::error!(rows, "scan rows are lost: the database was away at the end");
                self.meters.lost(Lost::Ended, rows as u64);
                return;
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = finish.cancelled() => {}
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Whether the database comes first: while older segments wait in the spool, a new one waits behind them.
    fn database_comes_first(&self) -> bool {
        self.spool.as_ref().is_none_or(|spool| spool.is_empty())
    }

    /// Whether the database took the segment, or refuses it for good.
    async fn write(&mut self, segment: &Segment) -> bool {
        let within = if self.spool.is_some() { SPOOL_AFTER } else { WITHOUT_SPOOL };
        let rows = segment.events.len();
        match self.sink.append(segment, within).await {
            Ok(Appended::Written | Appended::Known) => self.meters.written(rows),
            Ok(Appended::Refused) => self.meters.lost(Lost::Refused, rows as u64),
            Err(fault) => {
                tracing::warn!(rows, error = %Chain(&fault), "scan rows wait: the database did not take them");
                return false;
            }
        }
        true
    }

    /// Whether the spool took the segment, or is full.
    async fn keep(&self, segment: &Arc<Segment>) -> bool {
        let Some(spool) = self.spool.clone() else {
            return false;
        };
        let (kept, rows) = (segment.clone(), segment.events.len());
        match tokio::task::spawn_blocking(move || spool.put(&kept))
            .await
            .map_err(std::io::Error::other)
            .flatten()
        {
            Ok(Kept::Yes) => {
                self.meters.spooled(rows);
                self.spooled.notify_one();
                true
            }
            Ok(Kept::Full) => {
                tracing::error!(rows, "scan rows are lost: the spool is full (SCAN_SPOOL_MAX_BYTES)");
                self.meters.lost(Lost::SpoolFull, rows as u64);
                true
            }
            Err(error) => {
                tracing::error!(rows, error = %Chain(&error), "scan rows wait in memory: the spool did not take them");
                false
            }
        }
    }
}
