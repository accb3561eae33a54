//! Empties the spool into the database, in order.

use std::sync::Arc;
use std::time::Duration;

use mintmark_fault::Chain;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::meters::{Lost, Meters};
use super::segment::{Segment, Torn};
use super::spool::{Spool, Waits};
use crate::store::scan_event::{Appended, SegmentSink};

/// How long one segment may take before its connection is given up.
const WITHIN: Duration = Duration::from_secs(10);
/// First and longest pause between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// How long the end of the process waits for a spool that empties well; the next process does the rest.
const AT_THE_END: Duration = Duration::from_secs(5);

/// The task that drains.
pub struct Drainer {
    pub spool: Arc<Spool>,
    pub sink: SegmentSink,
    pub meters: Meters,
    /// Told when something went to the spool.
    pub spooled: Arc<Notify>,
}

impl Drainer {
    /// Drains until `finish`; then on, while it goes well, for a few seconds.
    pub async fn run(mut self, finish: CancellationToken) {
        let mut pause = PAUSES.0;
        let mut until = None;
        loop {
            if finish.is_cancelled()
                && *until.get_or_insert_with(|| Instant::now() + AT_THE_END) <= Instant::now()
            {
                break;
            }
            let Some(file) = self.spool.first() else {
                tokio::select! {
                    () = self.spooled.notified() => continue,
                    () = finish.cancelled() => break,
                }
            };
            if self.drain(&file).await {
                pause = PAUSES.0;
                continue;
            }
            if finish.is_cancelled() {
                break;
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = finish.cancelled() => {}
            }
            pause = (pause * 2).min(PAUSES.1);
        }
        let segments = self.spool.segments();
        if segments > 0 {
            tracing::warn!(segments, "scan rows stay in the spool for the next process");
        }
    }

    /// Whether the file is dealt with.
    async fn drain(&mut self, file: &Waits) -> bool {
        match self.read(file).await {
            Ok(Ok(segment)) => match self.sink.append(&segment, WITHIN).await {
                Ok(Appended::Written | Appended::Known) => self.meters.written(segment.events.len()),
                Ok(Appended::Refused) => self.meters.lost(Lost::Refused, file.rows),
                Err(fault) => {
                    tracing::debug!(error = %Chain(&fault), "the spool waits: the database did not take a segment");
                    return false;
                }
            },
            Ok(Err(Torn)) => self.damaged(file),
            // Somebody removed it: it cannot come back.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.damaged(file),
            Err(error) => {
                tracing::error!(error = %Chain(&error), "a file of the spool cannot be read");
                return false;
            }
        }
        let (spool, done) = (self.spool.clone(), file.clone());
        let removed = tokio::task::spawn_blocking(move || spool.remove(&done)).await;
        if let Ok(Err(error)) = removed
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::error!(error = %Chain(&error), "a file of the spool cannot be removed; its rows are written");
        }
        true
    }

    fn damaged(&self, file: &Waits) {
        tracing::error!(rows = file.rows, "scan rows are lost: a file of the spool is damaged");
        self.meters.lost(Lost::SpoolDamaged, file.rows);
    }

    async fn read(&self, file: &Waits) -> std::io::Result<Result<Segment, Torn>> {
        let (spool, file) = (self.spool.clone(), file.clone());
        tokio::task::spawn_blocking(move || spool.read(&file)).await.map_err(std::io::Error::other).flatten()
    }
}
