//! A pass over the objects as bytes: lengths of streams, keys that a dictionary holds twice, where the file is cut off. The
//! reader of syntax takes what it finds first and says nothing.

use std::{borrow::Cow, collections::HashMap};

use hayro_syntax::object::{Name, ObjectIdentifier, Stream};
use memchr::memmem;

use super::{
    Source, access,
    bytes::{Cursor, white},
    damage::Damages,
    tokens::{Token, token},
    xref::{Entry, Table},
};
use crate::{decode, facts::ObjectRef};

/// Nesting of one object.
const DEPTH: usize = 512;
/// Objects with duplicate keys that are listed.
const LISTED: usize = 100;

/// What the bytes of one object show.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shown {
    /// Some dictionary in it holds a key twice.
    duplicates: bool,
    /// Where its stream's data begin.
    data: Option<usize>,
    /// `Length` of the dictionary: itself, or the object that says it.
    length: Option<Length>,
    /// It is an object stream.
    object_stream: bool,
    /// Where it ends, before the stream.
    end: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Length {
    Direct(u64),
    Indirect(u32),
}

/// Passes over all objects of a file; those that hold a key twice.
pub(super) fn check(
    bytes: &[u8],
    table: &Table<'_>,
    source: &Source<'_>,
    damages: &mut Damages,
) -> Vec<ObjectRef> {
    let mut duplicates = Vec::new();
    // Hostile objects overlap: no byte is worth more than a few looks.
    let mut allowance = bytes.len().saturating_mul(3).saturating_add(1 << 16);
    let members = members(table);
    for (number, generation, at) in places(bytes, table) {
        if !source.meter.object() {
            break;
        }
        let object =
            ObjectRef(i32::try_from(number).unwrap_or(i32::MAX), i32::try_from(generation).unwrap_or(0));
        let shown = show(bytes, at, &mut allowance);
        if allowance == 0 {
            let detail = "Objects of the file lie within one another; not all were looked at.";
            damages.note("objects_overlap", detail, None, Some(object), false);
            break;
        }
        let Some(shown) = shown else { continue };
        if shown.duplicates {
            duplicates.push(object);
        }
        if let Some(data) = shown.data {
            stream_length(bytes, data, shown.length.as_ref(), table, object, damages);
        }
        if shown.object_stream {
            let wanted = members.get(&number).map_or(&[][..], Vec::as_slice);
            within(source, number, wanted, &mut duplicates, damages);
        }
    }
    duplicates.sort_unstable();
    duplicates.dedup();
    duplicates.truncate(LISTED);
    duplicates
}

/// Number, generation and first byte of every object, in the order of the file.
fn places(bytes: &[u8], table: &Table<'_>) -> Vec<(u32, u32, usize)> {
    let behind_header = |at: usize| {
        let mut cursor = Cursor::new(bytes, at);
        let (number, generation) = cursor.object_header()?;
        Some((number, generation, cursor.at))
    };
    let mut places: Vec<_> = if table.sound {
        let offsets = table.entries.values().filter_map(|entry| match entry {
            Entry::At(offset, _) => Some(*offset),
            _ => None,
        });
        offsets.filter_map(behind_header).collect()
    } else {
        memmem::find_iter(bytes, b"obj")
            .filter_map(|at| header_before(bytes, at))
            .filter_map(behind_header)
            .collect()
    };
    places.sort_unstable_by_key(|place| place.2);
    places
}

/// Where `n g` before an `obj` begins.
fn header_before(bytes: &[u8], obj: usize) -> Option<usize> {
    let back = |from: usize, accept: fn(u8) -> bool| {
        from - bytes[..from].iter().rev().take(16).take_while(|byte| accept(**byte)).count()
    };
    let generation_end = back(obj, white);
    let generation = back(generation_end, |byte| byte.is_ascii_digit());
    let number_end = back(generation, white);
    let number = back(number_end, |byte| byte.is_ascii_digit());
    (generation < generation_end && number_end < generation && number < number_end).then_some(number)
}

/// Compares what a stream's dictionary says of its length with where its data end.
fn stream_length(
    bytes: &[u8],
    data: usize,
    length: Option<&Length>,
    table: &Table<'_>,
    object: ObjectRef,
    damages: &mut Damages,
) {
    let said = match length {
        Some(Length::Direct(length)) => Some(*length),
        Some(Length::Indirect(number)) => match table.entries.get(number) {
            Some(Entry::At(offset, _)) => {
                let mut cursor = Cursor::new(bytes, *offset);
                cursor.object_header().and_then(|_| cursor.number())
            }
            // In an object stream, or in a file whose table is no help: the reader of syntax looks it up.
            _ => return,
        },
        None => None,
    };
    let ends_there = said.and_then(|said| usize::try_from(said).ok()?.checked_add(data)).is_some_and(|end| {
        let mut cursor = Cursor::new(bytes, end);
        cursor.skip_white();
        end <= bytes.len() && cursor.tag(b"endstream")
    });
    if ends_there {
        return;
    }
    if memmem::find(&bytes[data..], b"endstream").is_some() {
        let detail = "The length of a stream is wrong; its end was found by searching.";
        damages.note("stream_length_wrong", detail, None, Some(object), true);
    } else {
        damages.note("truncated", "The file ends within a stream.", None, Some(object), false);
    }
}

/// Which objects the table says are in each object stream, and where in it.
fn members(table: &Table<'_>) -> HashMap<u32, Vec<(u32, usize)>> {
    let mut members: HashMap<u32, Vec<(u32, usize)>> = HashMap::new();
    for (number, entry) in table.entries.iter().filter(|_| table.sound) {
        if let Entry::Within(stream, place) = entry {
            members.entry(*stream).or_default().push((*number, *place));
        }
    }
    members
}

/// The objects of an object stream: those that hold a key twice, and whether it has what the table says.
fn within(
    source: &Source<'_>,
    number: u32,
    wanted: &[(u32, usize)],
    duplicates: &mut Vec<ObjectRef>,
    damages: &mut Damages,
) {
    let stream = source.pdf.xref().get::<Stream<'_>>(ObjectIdentifier::new(number, 0));
    let Some(stream) = stream else { return };
    let decoded = decode::stream(&stream, source.meter, None);
    let whole = decoded.as_ref().is_ok_and(|decoded| decoded.complete);
    if !whole && !matches!(decoded, Err(decode::Refused::Budget)) {
        let detail = "A stream of objects is damaged: objects in it may be missing.";
        damages.note("stream_damaged", detail, None, access::stream_ref(&stream), false);
    }
    let Ok(decoded) = decoded else { return };
    let data = decoded.data.as_ref();
    let size = |key: &str| access::integer(stream.dict(), key).and_then(|value| usize::try_from(value).ok());
    let (Some(count), Some(first)) = (size("N"), size("First")) else { return };
    let mut index = Cursor::new(data, 0);
    let mut allowance = data.len().saturating_mul(3);
    let mut numbers = Vec::new();
    for _ in 0..count {
        let (Some(number), Some(offset)) = (index.number(), index.number()) else { break };
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        numbers.push(number);
        let at = usize::try_from(offset).unwrap_or(usize::MAX).saturating_add(first);
        if !source.meter.object() || allowance == 0 || duplicates.len() > 10 * LISTED {
            return;
        }
        if show(data, at, &mut allowance).is_some_and(|shown| shown.duplicates) {
            duplicates.push(ObjectRef(i32::try_from(number).unwrap_or(i32::MAX), 0));
        }
    }
    let wrong = wanted.iter().filter(|(number, place)| numbers.get(*place) != Some(number));
    if let Some(first) = wrong.map(|(number, _)| *number).min() {
        let object = ObjectRef(i32::try_from(first).unwrap_or(i32::MAX), 0);
        let detail = "The table of objects says that a stream holds objects that it does not hold.";
        damages.note("xref_entries_wrong", detail, None, Some(object), true);
    }
}

/// An open dictionary or array.
#[derive(Default)]
struct Open<'a> {
    dict: bool,
    keys: Vec<&'a [u8]>,
    /// A key was read, its value was not.
    value_next: bool,
}

/// Passes over the object at `at`; `None` where there is none, or the allowance is used up.
fn show(bytes: &[u8], at: usize, allowance: &mut usize) -> Option<Shown> {
    let mut shown = Shown::default();
    let mut cursor = Cursor::new(bytes, at);
    let mut open: Vec<Open<'_>> = Vec::new();
    loop {
        let before = cursor.at;
        let token = token(&mut cursor);
        *allowance = allowance.saturating_sub(cursor.at - before);
        let token = token.filter(|_| *allowance > 0)?;
        if let Some(here) = open.last_mut()
            && here.dict
        {
            if let (Token::Name(key), false) = (&token, here.value_next) {
                here.keys.push(key);
                here.value_next = true;
                if open.len() == 1 {
                    entry(key, cursor, &mut shown);
                }
                continue;
            }
            here.value_next = false;
        }
        match token {
            Token::Open { dict } if open.len() < DEPTH => open.push(Open { dict, ..Open::default() }),
            Token::Open { .. } => return None,
            Token::Close => {
                let closed = open.pop()?;
                shown.duplicates |= twice(closed.keys);
            }
            Token::Name(_) | Token::Other => {}
        }
        if open.is_empty() {
            break;
        }
    }
    shown.end = cursor.at;
    cursor.skip_white();
    if cursor.tag(b"stream") {
        let _ = cursor.tag(b"\r\n") || cursor.tag(b"\n") || cursor.tag(b"\r");
        shown.data = Some(cursor.at);
    }
    Some(shown)
}

/// Reads what is wanted of an entry of the outermost dictionary.
fn entry(key: &[u8], mut after: Cursor<'_>, shown: &mut Shown) {
    match key {
        b"Length" => {
            shown.length = after.number().map(|value| {
                let reference = after.number().is_some() && {
                    after.skip_white();
                    after.tag(b"R")
                };
                match u32::try_from(value) {
                    Ok(number) if reference => Length::Indirect(number),
                    _ => Length::Direct(value),
                }
            });
        }
        b"Type" => {
            after.skip_white();
            shown.object_stream = after.tag(b"/ObjStm");
        }
        _ => {}
    }
}

/// Whether a key is there twice, however its characters are written.
fn twice(keys: Vec<&[u8]>) -> bool {
    let mut keys: Vec<Cow<'_, [u8]>> = keys
        .into_iter()
        .map(|key| match key.contains(&b'#').then(|| Name::new_escaped(key)).flatten() {
            Some(name) => Cow::Owned(name.as_ref().to_vec()),
            None => Cow::Borrowed(key),
        })
        .collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<Shown> {
        show(text.as_bytes(), 0, &mut 1_000_000)
    }

    #[test]
    fn show_finds_duplicate_keys_at_every_depth() {
        let duplicates = |text: &str| shown(text).unwrap().duplicates;
        assert!(!duplicates(
            "<< /A /B /B /A /C 1 0 R /D [ /A /A ] /E << /A (>>\\)/A /A) >> /F <2f> % /A /A\n>>"
        ));
        assert!(duplicates("<< /A 1 /B 2 /A 3 >>"));
        assert!(duplicates("<< /A 1 /#41 2 >>"));
        assert!(duplicates("[ << /A [ << /X 1 0 R /X null >> ] >> ]"));
        assert!(!duplicates("12"));
    }

    #[test]
    fn show_finds_the_stream_and_its_length() {
        let one = shown("<< /Length 12 /Type /ObjStm >>\r\nstream\r\nabc").unwrap();
        assert_eq!((one.length, one.object_stream), (Some(Length::Direct(12)), true));
        assert_eq!(one.data, Some(40));
        assert_eq!(shown("<< /Length 12 0 R /X 1 >>").unwrap().length, Some(Length::Indirect(12)));
        assert_eq!(shown("<< /Length 12 /X 1 >>").unwrap().length, Some(Length::Direct(12)));
        assert_eq!(shown("<< /X << /Length 3 >> >>").unwrap().length, None);
    }

    #[test]
    fn show_gives_up_on_what_is_no_object() {
        for text in ["", "<< /A (", "<< /A <", ">>", "<< /A 1 endobj", &"[".repeat(600)] {
            assert_eq!(shown(text), None, "{text}");
        }
        assert_eq!(show(b"[ 1 2 3 ]", 0, &mut 5), None);
    }

    #[test]
    fn header_before_reads_backwards() {
        assert_eq!(header_before(b"x 12 0 obj", 7), Some(2));
        assert_eq!(header_before(b"x 12 0 endobj", 10), None);
        assert_eq!(header_before(b"obj", 0), None);
    }
}
