//! Segments of telemetry, each added once: its id and its rows in one transaction, the rows by COPY.

use std::time::Duration;

use bytes::Bytes;
use mintmark_db::{DbConfig, RawClient, connect_raw, raw_fault};
use mintmark_fault::{Chain, Fault, Result};
use tokio::runtime::Handle;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::copy::{self, CopyRows};
use crate::app::telemetry::segment::Segment;

const SEGMENT: &str = "INSERT INTO scan_segment (id, rows, at) VALUES ($1, $2, $3)";
const EVENTS: &str = "COPY scan_event (segment_id, position, at, publication_id, product_id, serial, outcome,
    device_class, country, region, network) FROM STDIN (FORMAT binary)";
const FIELDS: i16 = 11;
/// Bytes of a row, about.
const ROW_BYTES: usize = 160;

/// What became of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is written.
    Written,
    /// It was written before: an earlier attempt had arrived.
    Known,
    /// The database will never take it: a row breaks a rule of the table.
    Refused,
}

/// A connection of its own, opened when needed: a scan's questions never wait behind a COPY.
pub struct SegmentSink {
    config: DbConfig,
    home: Handle,
    client: Option<RawClient>,
}

impl SegmentSink {
    /// Connects at the first segment.
    pub fn new(config: DbConfig, home: Handle) -> Self {
        SegmentSink { config, home, client: None }
    }

    /// Adds the segment, or nothing. After an error it may have arrived all the same: append it again.
    ///
    /// # Errors
    /// 503 when the database is away or too slow; the next call connects again.
    pub async fn append(&mut self, segment: &Segment, within: Duration) -> Result<Appended> {
        let attempt = async {
            let mut client = match self.client.take() {
                Some(client) if !client.is_closed() => client,
                _ => connect_raw(&self.config, &self.home).await?,
            };
            let appended = append(&mut client, segment).await?;
            // Kept only when it worked: after an error a new connection is the simplest sound state.
            self.client = Some(client);
            Ok(appended)
        };
        tokio::time::timeout(within, attempt).await.map_err(|elapsed| {
            Fault::unavailable("DATABASE_TIMEOUT", "the database took too long for a segment of scan rows")
                .caused_by(elapsed)
        })?
    }
}

async fn append(client: &mut RawClient, segment: &Segment) -> Result<Appended> {
    let (insert, events) = (client.prepared(SEGMENT).await?, client.prepared(EVENTS).await?);
    let transaction = client.transaction().await.map_err(raw_fault)?;
    let rows = i32::try_from(segment.events.len()).map_err(Fault::internal)?;
    if let Err(error) = transaction.execute(&insert, &[&segment.id, &rows, &segment.at]).await {
        transaction.rollback().await.map_err(raw_fault)?;
        return if error.code() == Some(&SqlState::UNIQUE_VIOLATION) {
            Ok(Appended::Known)
        } else {
            refusal(error)
        };
    }
    let copied = async {
        let sink = transaction.copy_in(&events).await?;
        copy::send(sink, rows_of(segment)).await
    };
    match copied.await {
        Ok(counted) if counted == segment.events.len() as u64 => {
            transaction.commit().await.map_err(raw_fault)?;
            Ok(Appended::Written)
        }
        Ok(counted) => Err(copy::miscounted(segment.events.len(), counted)),
        Err(error) => {
            transaction.rollback().await.map_err(raw_fault)?;
            refusal(error)
        }
    }
}

/// Rows that break a rule break it again: classes 22 and 23, data and constraints. Anything else may pass, a partition
/// that is missing too: Postgres calls that a violated check, of a constraint without a name.
fn refusal(error: Error) -> Result<Appended> {
    let code = error.code().map_or("", SqlState::code);
    let no_partition = error.code() == Some(&SqlState::CHECK_VIOLATION)
        && error.as_db_error().is_some_and(|error| error.constraint().is_none());
    if !no_partition && (code.starts_with("22") || code.starts_with("23")) {
        tracing::error!(error = %Chain(&error), "scan rows are lost: the database refuses them");
        return Ok(Appended::Refused);
    }
    Err(raw_fault(error))
}

fn rows_of(segment: &Segment) -> Bytes {
    let mut rows = CopyRows::with_capacity(segment.events.len(), ROW_BYTES);
    for (event, position) in segment.events.iter().zip(0..) {
        rows.row(FIELDS);
        rows.uuid(segment.id.as_bytes());
        rows.integer(position);
        rows.timestamp(event.at);
        match event.publication {
            Some(publication) => rows.integer(publication),
            None => rows.null(),
        }
        match event.product {
            Some(product) => rows.uuid(product.as_bytes()),
            None => rows.null(),
        }
        match event.serial {
            Some(serial) => rows.bigint(serial),
            None => rows.null(),
        }
        rows.word(event.outcome.as_str());
        rows.word(event.device.as_str());
        match &event.origin.country {
            Some(country) => rows.word(country.as_str()),
            None => rows.null(),
        }
        match &event.origin.region {
            Some(region) => rows.word(region.as_str()),
            None => rows.null(),
        }
        rows.cidr(event.origin.network);
    }
    rows.finish()
}
