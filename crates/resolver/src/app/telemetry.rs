//! Telemetry of scans: a bounded buffer, a task that makes segments of it, and a spool for when the database is away.
//!
//! A scan never waits for it. Rows are gathered into segments ([`segment`]), each with an id of its own that is inserted in
//! the transaction of its rows, so that a segment may be written twice and arrives once. A segment that the database
//! does not take at once goes to the spool on disk ([`spool`]) and is drained from there in order, also by the next
//! process. `kill -9` loses what is not spooled yet: half a second of gathering and half a second of trying. Without a spool,
//! rows wait in the buffer, and only there.

mod buffer;
mod drain;
mod meters;
pub mod segment;
pub mod spool;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use mintmark_db::DbConfig;
use mintmark_service::{Context, StartError};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::buffer::Buffer;
use self::drain::Drainer;
use self::meters::{Lost, Meters};
use self::spool::Spool;
use self::writer::Writer;
use super::geo::Origin;
use super::verdict::Outcome;
use super::visitor::DeviceClass;
use crate::store::scan_event::SegmentSink;

/// One scan by a person, as coarse as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanEvent {
    /// When, in UTC.
    pub at: DateTime<Utc>,
    /// The publication of the code, where there is one.
    pub publication: Option<i32>,
    /// The product, through the publication or, for an unknown code, through the GTIN of its link.
    pub product: Option<Uuid>,
    /// The unit's serial number.
    pub serial: Option<i64>,
    /// What it came to.
    pub outcome: Outcome,
    /// The kind of device.
    pub device: DeviceClass,
    /// Where from.
    pub origin: Origin,
}

/// Where segments wait while the database is away.
#[derive(Clone, Debug)]
pub struct SpoolConfig {
    /// The folder, of this process alone.
    pub folder: PathBuf,
    /// What it may hold at most.
    pub max_bytes: u64,
}

/// Where scans leave their rows. Cheap to clone.
#[derive(Clone)]
pub struct Telemetry {
    buffer: Arc<Buffer>,
    meters: Meters,
}

/// The tasks behind it.
pub struct TelemetryTasks {
    writer: JoinHandle<()>,
    drainer: Option<JoinHandle<()>>,
    finish_writer: CancellationToken,
    finish_drainer: CancellationToken,
}

impl Telemetry {
    /// Starts the tasks that write to this database, with a spool or without.
    ///
    /// # Errors
    /// The folder of the spool cannot be used, or another process uses it.
    pub fn start(
        database: &DbConfig,
        spool: Option<&SpoolConfig>,
        context: &Context,
    ) -> Result<(Self, TelemetryTasks), StartError> {
        let meters = Meters::new();
        let buffer = Arc::new(Buffer::default());
        meters::watch_buffer(&buffer);
        let spool = match spool {
            None => None,
            Some(config) => {
                let opened = Spool::open(&config.folder, config.max_bytes).map_err(|error| {
                    StartError::new(format!("SCAN_SPOOL_DIR {} cannot be used", config.folder.display()))
                        .caused_by(error)
                })?;
                Some(Arc::new(opened))
            }
        };
        if let Some(spool) = &spool {
            meters::watch_spool(spool);
        }
        let sink = || SegmentSink::new(database.clone(), context.home.clone());
        let (finish_writer, finish_drainer) = (CancellationToken::new(), CancellationToken::new());
        let spooled = Arc::new(Notify::new());
        let drainer = spool.clone().map(|spool| {
            let drainer = Drainer { spool, sink: sink(), meters: meters.clone(), spooled: spooled.clone() };
            context.spawn("scan-telemetry-drain", drainer.run(finish_drainer.clone()))
        });
        let writer = Writer { buffer: buffer.clone(), sink: sink(), spool, meters: meters.clone(), spooled };
        let writer = context.spawn("scan-telemetry", writer.run(finish_writer.clone()));
        Ok((Telemetry { buffer, meters }, TelemetryTasks { writer, drainer, finish_writer, finish_drainer }))
    }

    /// Leaves a row; never waits.
    pub fn record(&self, event: ScanEvent) {
        if !self.buffer.push(event) {
            self.meters.lost(Lost::BufferFull, 1);
        }
    }
}

impl TelemetryTasks {
    /// Writes what waits, to the database or else to the spool, and ends.
    ///
    /// # Errors
    /// A task failed.
    pub async fn finish(self) -> Result<(), StartError> {
        let failed = |error| StartError::new("the task that writes telemetry failed").caused_by(error);
        self.finish_writer.cancel();
        let written = self.writer.await.map_err(failed);
        // Only now: what the writer spooled last is drained too, if the database is there.
        self.finish_drainer.cancel();
        if let Some(drainer) = self.drainer {
            drainer.await.map_err(failed)?;
        }
        written
    }
}
