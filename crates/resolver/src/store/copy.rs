//! Rows in the binary format of COPY (PostgreSQL manual, "COPY", section "Binary Format"), built in one buffer.

use std::net::IpAddr;

use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures::SinkExt;
use mintmark_fault::Fault;
use tokio_postgres::{CopyInSink, Error};

use crate::app::network::Network;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Microseconds from 1970-01-01 to 2000-01-01, where Postgres counts from.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Bytes of one CopyData message: large enough to cost nothing, small enough that the server starts early.
const MESSAGE_BYTES: usize = 256 * 1024;

/// A buffer of rows.
pub struct CopyRows(BytesMut);

impl CopyRows {
    /// A buffer with the header, and room for so many rows of so many bytes.
    pub fn with_capacity(rows: usize, row_bytes: usize) -> Self {
        let mut buffer = BytesMut::with_capacity(rows * row_bytes + 32);
        buffer.put_slice(SIGNATURE);
        buffer.put_u32(0); // flags
        buffer.put_u32(0); // header extension
        CopyRows(buffer)
    }

    /// Begins a row of so many fields.
    pub fn row(&mut self, fields: i16) {
        self.0.put_i16(fields);
    }

    /// NULL.
    pub fn null(&mut self) {
        self.0.put_i32(-1);
    }

    /// `uuid`.
    pub fn uuid(&mut self, bytes: &[u8; 16]) {
        self.0.put_i32(16);
        self.0.put_slice(bytes);
    }

    /// `bigint`.
    pub fn bigint(&mut self, value: i64) {
        self.0.put_i32(8);
        self.0.put_i64(value);
    }

    /// `integer`.
    pub fn integer(&mut self, value: i32) {
        self.0.put_i32(4);
        self.0.put_i32(value);
    }

    /// `text`, short.
    pub fn word(&mut self, word: &str) {
        self.0.put_i32(i32::try_from(word.len()).unwrap_or(0));
        self.0.put_slice(word.as_bytes());
    }

    /// `timestamptz`.
    pub fn timestamp(&mut self, at: DateTime<Utc>) {
        self.bigint(at.timestamp_micros() - POSTGRES_EPOCH_MICROS);
    }

    /// `cidr` (src/backend/utils/adt/network.c, `network_send`).
    pub fn cidr(&mut self, network: Network) {
        let mut put = |family: u8, octets: &[u8]| {
            self.0.put_i32(4 + octets.len() as i32);
            self.0.put_u8(family);
            self.0.put_u8(network.prefix());
            self.0.put_u8(1); // is a cidr
            self.0.put_u8(octets.len() as u8);
            self.0.put_slice(octets);
        };
        match network.address() {
            // 2 is the server's PGSQL_AF_INET on every system, 3 its PGSQL_AF_INET6.
            IpAddr::V4(v4) => put(2, &v4.octets()),
            IpAddr::V6(v6) => put(3, &v6.octets()),
        }
    }

    /// The whole COPY, with its trailer.
    pub fn finish(mut self) -> Bytes {
        self.0.put_i16(-1);
        self.0.freeze()
    }
}

/// Sends finished rows and ends the COPY; answers how many rows the server counted.
pub async fn send(sink: CopyInSink<Bytes>, mut rows: Bytes) -> Result<u64, Error> {
    let mut sink = std::pin::pin!(sink);
    while !rows.is_empty() {
        let message = rows.split_to(rows.len().min(MESSAGE_BYTES));
        sink.feed(message).await?;
    }
    sink.as_mut().finish().await
}

/// The server counted other rows than were sent: our encoding is wrong.
pub fn miscounted(sent: usize, counted: u64) -> Fault {
    Fault::internal(format!("COPY was sent {sent} rows and counted {counted}"))
}
