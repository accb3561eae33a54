//! The cross-reference table, read a second time and sceptically: the reader of syntax repairs in silence, and a repair is
//! a fact. This reading also finds the trailer, which that reader keeps to itself.

use std::collections::{HashMap, HashSet};

use hayro_syntax::object::{Array, Dict, FromBytes, Number, Stream};
use memchr::memmem;

use super::{access, bytes::Cursor, damage::Damages};
use crate::{budget::Meter, decode, facts::ObjectRef};

/// Bytes of an entry of a plain table.
const ENTRY: usize = 20;
/// Sections of a table, by `Prev`.
const SECTIONS: usize = 256;

/// Where an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// At an offset, with this generation.
    At(usize, u32),
    /// In an object stream, at this place.
    Within(u32, usize),
    /// Free.
    Free,
}

/// What the tables say.
#[derive(Debug, Default)]
pub(super) struct Table<'a> {
    /// The newest trailer (or dictionary of a cross-reference stream) that has a `Root`.
    pub(super) trailer: Option<Dict<'a>>,
    /// Where objects are; empty where the tables could not be read.
    pub(super) entries: HashMap<u32, Entry>,
    /// Whether `entries` are to be believed.
    pub(super) sound: bool,
    /// A budget ran out: the file must not be opened.
    pub(super) refused: bool,
}

/// Reads the tables from the last `startxref`.
pub(super) fn read<'a>(bytes: &'a [u8], meter: &Meter, damages: &mut Damages) -> Table<'a> {
    let mut table = Table::default();
    let start = memmem::rfind(bytes, b"startxref").and_then(|at| Cursor::new(bytes, at + 9).number());
    let Some(start) = start else {
        damages.note(
            "xref_rebuilt",
            "The file does not say where its table of objects is (no startxref); objects were found by searching.",
            None,
            None,
            true,
        );
        table.trailer = last_trailer(bytes);
        return table;
    };
    let whole = chain(bytes, start, &mut table, meter);
    if table.refused {
        return table;
    }
    let wrong = if whole { misplaced(bytes, &table.entries) } else { None };
    table.sound = whole && wrong.is_none();
    if !whole {
        damages.note(
            "xref_rebuilt",
            "The table of objects is missing or damaged; objects were found by searching.",
            None,
            None,
            true,
        );
    } else if let Some((count, first)) = wrong {
        damages.note(
            "xref_entries_wrong",
            format!(
                "{count} entries of the table of objects point elsewhere; objects were found by searching."
            ),
            None,
            Some(first),
            true,
        );
    }
    if table.trailer.is_none() {
        table.trailer = last_trailer(bytes);
    }
    table
}

/// Follows the sections, newest first; `false` where one cannot be read.
fn chain<'a>(bytes: &'a [u8], start: u64, table: &mut Table<'a>, meter: &Meter) -> bool {
    let mut next = vec![start];
    let mut visited = HashSet::new();
    while let Some(at) = next.pop() {
        if !visited.insert(at) || visited.len() > SECTIONS {
            return false;
        }
        let Ok(at) = usize::try_from(at) else { return false };
        let mut cursor = Cursor::new(bytes, at);
        cursor.skip_white();
        let section =
            if cursor.tag(b"xref") { plain(cursor, table, meter) } else { compressed(cursor, table, meter) };
        let Some(dict) = section else { return false };
        // What is pushed last is read first: the stream of a hybrid file comes before the older section.
        next.extend(["Prev", "XRefStm"].iter().filter_map(|key| {
            dict.get::<Number>(key).and_then(|number| u64::try_from(number.as_i64()).ok())
        }));
        if table.trailer.is_none() && dict.contains_key("Root") {
            table.trailer = Some(dict);
        }
    }
    true
}

/// A section of text: subsections and a trailer.
fn plain<'a>(mut cursor: Cursor<'a>, table: &mut Table<'a>, meter: &Meter) -> Option<Dict<'a>> {
    loop {
        cursor.skip_white();
        if cursor.tag(b"trailer") {
            cursor.skip_white();
            return Dict::from_bytes(cursor.rest());
        }
        let first = u32::try_from(cursor.number()?).ok()?;
        let count = cursor.number()?;
        cursor.skip_white();
        for index in 0..count {
            let entry = plain_entry(cursor.rest())?;
            cursor.at += ENTRY;
            let number = first.checked_add(u32::try_from(index).ok()?)?;
            insert(table, number, entry, meter)?;
        }
    }
}

/// An entry: an offset of ten digits, a generation of five, a letter, two characters of white space. Others may be read with
/// good will, but not by the reader of syntax, which counts.
fn plain_entry(bytes: &[u8]) -> Option<Entry> {
    let entry = bytes.get(..ENTRY)?;
    let digits = |from: usize, to: usize| std::str::from_utf8(&entry[from..to]).ok()?.parse::<u64>().ok();
    let (offset, generation) = (digits(0, 10)?, digits(11, 16)?);
    match entry[17] {
        b'n' => Some(Entry::At(usize::try_from(offset).ok()?, u32::try_from(generation).ok()?)),
        b'f' => Some(Entry::Free),
        _ => None,
    }
}

/// A section that is a stream.
fn compressed<'a>(mut cursor: Cursor<'a>, table: &mut Table<'a>, meter: &Meter) -> Option<Dict<'a>> {
    cursor.object_header()?;
    cursor.skip_white();
    let stream = Stream::from_bytes(cursor.rest())?;
    let dict = stream.dict().clone();
    let widths: Vec<usize> =
        integers(&dict, "W").into_iter().filter_map(|w| usize::try_from(w).ok()).collect();
    let &[kind, second, third] = widths.as_slice() else { return None };
    // What the reader of syntax does not read is rebuilt by it.
    if kind > 1 || !matches!(second, 1..=4 | 8) || !matches!(third, 0..=4 | 8) {
        return None;
    }
    let decoded = match decode::stream(&stream, meter, None) {
        Ok(decoded) => decoded,
        Err(reason) => {
            table.refused |= reason == decode::Refused::Budget;
            return None;
        }
    };
    let mut ranges = integers(&dict, "Index");
    if ranges.is_empty() {
        ranges = vec![0, access::integer(&dict, "Size")?];
    }
    let mut rows = decoded.data.chunks_exact(kind + second + third);
    for range in ranges.chunks_exact(2) {
        let (first, count) = (u32::try_from(range[0]).ok()?, range[1]);
        for index in 0..count {
            let row = rows.next()?;
            let (first_field, rest) = row.split_at(kind);
            let (second_field, third_field) = rest.split_at(second);
            let entry = match if kind == 0 { 1 } else { big_endian(first_field) } {
                0 => Entry::Free,
                1 => Entry::At(
                    usize::try_from(big_endian(second_field)).ok()?,
                    u32::try_from(big_endian(third_field)).ok()?,
                ),
                2 => Entry::Within(
                    u32::try_from(big_endian(second_field)).ok()?,
                    usize::try_from(big_endian(third_field)).ok()?,
                ),
                _ => return None,
            };
            let number = first.checked_add(u32::try_from(index).ok()?)?;
            insert(table, number, entry, meter)?;
        }
    }
    Some(dict)
}

/// Keeps the newest entry of an object.
fn insert(table: &mut Table<'_>, number: u32, entry: Entry, meter: &Meter) -> Option<()> {
    if table.entries.len() as u64 >= meter.budgets.objects {
        meter.hit("objects", meter.budgets.objects, None);
        table.refused = true;
        return None;
    }
    table.entries.entry(number).or_insert(entry);
    Some(())
}

fn integers(dict: &Dict<'_>, key: &str) -> Vec<i64> {
    dict.get::<Array<'_>>(key)
        .map(|array| array.iter::<Number>().map(|number| number.as_i64()).collect())
        .unwrap_or_default()
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// How many entries point at something else than their object, and the first of them.
fn misplaced(bytes: &[u8], entries: &HashMap<u32, Entry>) -> Option<(usize, ObjectRef)> {
    let mut wrong: Vec<(u32, u32)> = entries
        .iter()
        .filter_map(|(&number, &entry)| match entry {
            // An entry that says offset 0 is a free one, written wrongly.
            Entry::At(offset, generation) if offset > 0 => {
                let header = Cursor::new(bytes, offset).object_header();
                (header != Some((number, generation))).then_some((number, generation))
            }
            Entry::Within(stream, _) => {
                let found = matches!(entries.get(&stream), Some(Entry::At(..)));
                (!found).then_some((number, 0))
            }
            _ => None,
        })
        .collect();
    wrong.sort_unstable();
    let &(number, generation) = wrong.first()?;
    let narrow = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    Some((wrong.len(), ObjectRef(narrow(number), narrow(generation))))
}

/// The last trailer that can be found by searching.
fn last_trailer(bytes: &[u8]) -> Option<Dict<'_>> {
    let with_root = |at: usize| {
        let mut cursor = Cursor::new(bytes, at);
        cursor.skip_white();
        Dict::from_bytes(cursor.rest()).filter(|dict| dict.contains_key("Root"))
    };
    memmem::rfind_iter(bytes, b"trailer").take(64).find_map(|at| with_root(at + 7)).or_else(|| {
        memmem::rfind_iter(bytes, b"/XRef").take(64).find_map(|at| {
            let object = memmem::rfind(&bytes[at.saturating_sub(2_048)..at], b"obj")?;
            with_root(at.saturating_sub(2_048) + object + 3)
        })
    })
}
