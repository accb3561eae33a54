//! What the reader of syntax would inflate while it opens a file: object streams. They are measured first, because it has no
//! bounds.

use std::collections::BTreeSet;

use hayro_syntax::object::{FromBytes, Stream};
use memchr::memmem;

use super::{
    bytes::Cursor,
    xref::{Entry, Table},
};
use crate::{budget::Meter, decode};

/// Deflate makes at most 1,032 bytes of one.
const MOST: u64 = 1_032;
/// Bytes before the word `ObjStm` in which its object begins.
const BEFORE: usize = 2_048;

/// Whether all object streams together stay within the structure's budget. Those of encrypted files cannot be measured
/// before the file is open; the process's own limits bound them.
pub(super) fn bearable(bytes: &[u8], table: &Table<'_>, structure: &Meter) -> bool {
    if table.trailer.as_ref().is_some_and(|trailer| trailer.contains_key("Encrypt")) {
        return true;
    }
    let streams: Vec<Stream<'_>> =
        starts(bytes, table).into_iter().filter_map(|at| stream_at(bytes, at)).collect();
    let simple = |stream: &Stream<'_>| decode::filters(stream.dict()).len() <= 1;
    let most: u64 = streams.iter().map(|stream| (stream.raw_data().len() as u64).saturating_mul(MOST)).sum();
    if most <= structure.bytes_left() && streams.iter().all(simple) {
        return true;
    }
    streams
        .iter()
        .all(|stream| !matches!(decode::stream(stream, structure, None), Err(decode::Refused::Budget)))
}

/// Where object streams begin: those that the table knows, and those that call themselves so.
fn starts(bytes: &[u8], table: &Table<'_>) -> BTreeSet<usize> {
    let known = table.entries.values().filter_map(|entry| match entry {
        Entry::Within(stream, _) => match table.entries.get(stream) {
            Some(Entry::At(offset, _)) => Some(*offset),
            _ => None,
        },
        _ => None,
    });
    let known = known.filter_map(|offset| {
        let mut cursor = Cursor::new(bytes, offset);
        cursor.object_header().map(|_| cursor.at)
    });
    let called = memmem::find_iter(bytes, b"ObjStm").filter_map(|at| {
        let from = at.saturating_sub(BEFORE);
        memmem::rfind(&bytes[from..at], b"obj").map(|obj| from + obj + 3)
    });
    known.chain(called).collect()
}

fn stream_at(bytes: &[u8], at: usize) -> Option<Stream<'_>> {
    let mut cursor = Cursor::new(bytes, at);
    cursor.skip_white();
    Stream::from_bytes(cursor.rest())
}
