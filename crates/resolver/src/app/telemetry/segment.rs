//! A segment: rows that are written together, once.
//!
//! In a file: `MMSCAN01`, id, time, number of rows, the rows, SHA-256 of all that. Numbers are big-endian, words have
//! their length before them, and a missing value is a zero byte. A file that is torn anywhere fails the digest.

use std::net::IpAddr;

use bytes::{Buf, BufMut};
use chrono::{DateTime, Utc};
use ring::digest::{SHA256, digest};
use uuid::Uuid;

use super::ScanEvent;
use crate::app::geo::{Country, Origin, Region};
use crate::app::network::Network;
use crate::app::verdict::Outcome;
use crate::app::visitor::DeviceClass;

/// Rows of a segment at most; the table `scan_segment` says the same.
pub const MAX_ROWS: usize = 5_000;

const MAGIC: &[u8; 8] = b"MMSCAN01";
const DIGEST_BYTES: usize = 32;
/// Bytes of a row, about.
const ROW_BYTES: usize = 96;

/// Rows with an id of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Grows with time, which keeps the database's index narrow.
    pub id: Uuid,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The rows; their place is part of their key.
    pub events: Vec<ScanEvent>,
}

/// The bytes are no segment, or not a whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn;

impl Segment {
    /// A new segment of these rows.
    pub fn new(events: Vec<ScanEvent>) -> Self {
        Segment { id: Uuid::now_v7(), at: Utc::now(), events }
    }

    /// The bytes of its file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.events.len() * ROW_BYTES + 128);
        bytes.put_slice(MAGIC);
        bytes.put_slice(self.id.as_bytes());
        bytes.put_i64(self.at.timestamp_micros());
        bytes.put_u32(self.events.len() as u32);
        for event in &self.events {
            encode_event(event, &mut bytes);
        }
        let sum = digest(&SHA256, &bytes);
        bytes.put_slice(sum.as_ref());
        bytes
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// Anything is missing or altered.
    pub fn decode(bytes: &[u8]) -> Result<Self, Torn> {
        let body = bytes.len().checked_sub(DIGEST_BYTES).ok_or(Torn)?;
        let (body, sum) = bytes.split_at(body);
        if digest(&SHA256, body).as_ref() != sum {
            return Err(Torn);
        }
        let mut rest = body.strip_prefix(MAGIC).ok_or(Torn)?;
        let id = uuid(&mut rest)?;
        let at = time(&mut rest)?;
        let rows = rest.try_get_u32().map_err(|_| Torn)? as usize;
        if rows > MAX_ROWS {
            return Err(Torn);
        }
        let events = (0..rows).map(|_| decode_event(&mut rest)).collect::<Result<_, _>>()?;
        if rest.is_empty() { Ok(Segment { id, at, events }) } else { Err(Torn) }
    }
}

fn encode_event(event: &ScanEvent, bytes: &mut Vec<u8>) {
    bytes.put_i64(event.at.timestamp_micros());
    option(event.publication, bytes, BufMut::put_i32);
    option(event.product, bytes, |bytes, value| bytes.put_slice(value.as_bytes()));
    option(event.serial, bytes, BufMut::put_i64);
    put_word(event.outcome.as_str(), bytes);
    put_word(event.device.as_str(), bytes);
    put_word(event.origin.country.as_ref().map_or("", Country::as_str), bytes);
    put_word(event.origin.region.as_ref().map_or("", Region::as_str), bytes);
    match event.origin.network.address() {
        IpAddr::V4(v4) => {
            bytes.put_u8(4);
            bytes.put_slice(&v4.octets());
        }
        IpAddr::V6(v6) => {
            bytes.put_u8(6);
            bytes.put_slice(&v6.octets());
        }
    }
}

fn decode_event(rest: &mut &[u8]) -> Result<ScanEvent, Torn> {
    let at = time(rest)?;
    let publication = optional(rest, |rest| rest.try_get_i32().map_err(|_| Torn))?;
    let product = optional(rest, uuid)?;
    let serial = optional(rest, |rest| rest.try_get_i64().map_err(|_| Torn))?;
    let outcome = word(rest)?;
    let outcome = Outcome::ALL.into_iter().find(|known| known.as_str() == outcome).ok_or(Torn)?;
    let device = word(rest)?;
    let device = [DeviceClass::Phone, DeviceClass::Tablet, DeviceClass::Desktop, DeviceClass::Other]
        .into_iter()
        .find(|known| known.as_str() == device)
        .ok_or(Torn)?;
    let (country, region) = (Country::parse(word(rest)?), Region::parse(word(rest)?));
    let address = match rest.try_get_u8() {
        Ok(4) => IpAddr::from(octets::<4>(rest)?),
        Ok(6) => IpAddr::from(octets::<16>(rest)?),
        _ => return Err(Torn),
    };
    let origin = Origin { network: Network::coarse(address), country, region };
    Ok(ScanEvent { at, publication, product, serial, outcome, device, origin })
}

fn option<T>(value: Option<T>, bytes: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>, T)) {
    bytes.put_u8(u8::from(value.is_some()));
    if let Some(value) = value {
        put(bytes, value);
    }
}

fn optional<'a, T>(
    rest: &mut &'a [u8],
    get: impl FnOnce(&mut &'a [u8]) -> Result<T, Torn>,
) -> Result<Option<T>, Torn> {
    match rest.try_get_u8() {
        Ok(0) => Ok(None),
        Ok(1) => get(rest).map(Some),
        _ => Err(Torn),
    }
}

fn put_word(word: &str, bytes: &mut Vec<u8>) {
    bytes.put_u8(word.len() as u8);
    bytes.put_slice(word.as_bytes());
}

fn word<'a>(rest: &mut &'a [u8]) -> Result<&'a str, Torn> {
    let length = usize::from(rest.try_get_u8().map_err(|_| Torn)?);
    let (word, behind) = rest.split_at_checked(length).ok_or(Torn)?;
    *rest = behind;
    std::str::from_utf8(word).map_err(|_| Torn)
}

fn octets<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Torn> {
    let (octets, behind) = rest.split_first_chunk::<N>().ok_or(Torn)?;
    *rest = behind;
    Ok(*octets)
}

fn uuid(rest: &mut &[u8]) -> Result<Uuid, Torn> {
    octets::<16>(rest).map(Uuid::from_bytes)
}

fn time(rest: &mut &[u8]) -> Result<DateTime<Utc>, Torn> {
    DateTime::from_timestamp_micros(rest.try_get_i64().map_err(|_| Torn)?).ok_or(Torn)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn segment(rows: usize) -> Segment {
        let micros = |at: DateTime<Utc>| DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap();
        let event = |row: usize| ScanEvent {
            at: micros(Utc::now()),
            publication: row.is_multiple_of(2).then_some(7),
            product: row.is_multiple_of(3).then(Uuid::now_v7),
            serial: Some(row as i64),
            outcome: Outcome::ALL[row % Outcome::ALL.len()],
            device: DeviceClass::Tablet,
            origin: Origin {
                network: Network::coarse(
                    if row.is_multiple_of(2) { "2001:db8:1:2::3" } else { "203.0.113.7" }.parse().unwrap(),
                ),
                country: Country::parse("DE"),
                region: row.is_multiple_of(2).then(|| Region::parse("BY").unwrap()),
            },
        };
        let mut segment = Segment::new((0..rows).map(event).collect());
        segment.at = micros(segment.at);
        segment
    }

    #[test]
    fn decode_gives_back_what_was_encoded() {
        let segment = segment(100);
        assert_eq!(Segment::decode(&segment.encode()), Ok(segment));
    }

    #[test]
    fn decode_of_a_torn_or_altered_file_fails() {
        let bytes = segment(3).encode();
        for length in 0..bytes.len() {
            assert_eq!(Segment::decode(&bytes[..length]), Err(Torn), "the first {length} bytes");
        }
        for position in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[position] ^= 0x20;
            assert_eq!(Segment::decode(&altered), Err(Torn), "byte {position}");
        }
    }
}
