//! Rows of telemetry, added by COPY.

use std::time::Duration;

use bytes::Bytes;
use mintmark_db::{DbConfig, RawClient, connect_raw, raw_fault};
use mintmark_fault::{Fault, Result};
use tokio::runtime::Handle;

use super::copy::{self, CopyRows};
use crate::app::telemetry::ScanEvent;

const COPY: &str =
    "COPY scan_event (at, publication_id, serial, outcome, device_class, network) FROM STDIN (FORMAT binary)";
/// Bytes of a row, about.
const ROW_BYTES: usize = 96;
/// How long one batch may take before its connection is given up.
const WITHIN: Duration = Duration::from_secs(10);

/// A connection of its own, opened when needed: a scan's questions never wait behind a COPY.
pub struct ScanEventSink {
    config: DbConfig,
    home: Handle,
    client: Option<RawClient>,
}

impl ScanEventSink {
    /// Connects at the first batch.
    pub fn new(config: DbConfig, home: Handle) -> Self {
        ScanEventSink { config, home, client: None }
    }

    /// Adds all of them, or none.
    ///
    /// # Errors
    /// 503 when the database is away; the next call connects again.
    pub async fn append(&mut self, events: &[ScanEvent]) -> Result<()> {
        let client = match self.client.take() {
            Some(client) if !client.is_closed() => client,
            _ => connect_raw(&self.config, &self.home).await?,
        };
        let written =
            tokio::time::timeout(WITHIN, copy_events(&client, events)).await.map_err(|elapsed| {
                Fault::unavailable("DATABASE_TIMEOUT", "the database took too long for a batch of scan rows")
                    .caused_by(elapsed)
            })?;
        // Kept only when it worked: after an error a new connection is the simplest sound state.
        written.map(|()| self.client = Some(client))
    }
}

async fn copy_events(client: &RawClient, events: &[ScanEvent]) -> Result<()> {
    let statement = client.prepared(COPY).await?;
    let sink = client.copy_in(&statement).await.map_err(raw_fault)?;
    let counted = copy::send(sink, rows_of(events)).await.map_err(raw_fault)?;
    if counted == events.len() as u64 { Ok(()) } else { Err(copy::miscounted(events.len(), counted)) }
}

fn rows_of(events: &[ScanEvent]) -> Bytes {
    let mut rows = CopyRows::with_capacity(events.len(), ROW_BYTES);
    for event in events {
        rows.row(6);
        rows.timestamp(event.at);
        match event.publication {
            Some(publication) => rows.integer(publication),
            None => rows.null(),
        }
        match event.serial {
            Some(serial) => rows.bigint(serial),
            None => rows.null(),
        }
        rows.word(event.outcome.as_str());
        rows.word(event.device.as_str());
        rows.cidr(event.network);
    }
    rows.finish()
}
