//! Decoding of streams under the budgets.
//!
//! The reader of syntax inflates whatever it is asked to, to any size. So no stream is decoded by it: the filters are
//! here, each stops at the bytes that are left, and each says whether the data were whole. Filters of images stay
//! undecoded.

mod ascii;
mod flate;
mod lzw;
mod predictor;

use std::borrow::Cow;

use hayro_syntax::object::{Array, Dict, MaybeRef, Name, Object, Stream};
use hayro_syntax::page::Page;

use crate::{budget::Meter, facts::ObjectRef};

/// A decoded stream.
#[derive(Debug)]
pub struct Decoded<'a> {
    /// The bytes; of a damaged stream, those that could be read.
    pub data: Cow<'a, [u8]>,
    /// Whether every filter came to its proper end.
    pub complete: bool,
}

/// Why a stream was not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A budget ran out; the meter has noted which.
    Budget,
    /// It is compressed as an image.
    Image,
    /// Its data are in another file.
    External,
    /// A filter that PDF does not know.
    Filter,
}

/// The data outgrew their budget.
#[derive(Debug, PartialEq, Eq)]
struct TooLong;

/// What a filter gives: the data and whether they were whole.
type Filtered = Result<(Vec<u8>, bool), TooLong>;

/// The contents of a page.
#[derive(Debug, Default)]
pub struct Content {
    /// All content streams with a space between them.
    pub data: Vec<u8>,
    /// Where each begins in `data`, and its object.
    pub starts: Vec<(usize, ObjectRef)>,
    /// Streams that could not be read, or not to their end; `true` where they were left out entirely.
    pub broken: Vec<(ObjectRef, bool)>,
}

/// The names of a stream's filters, in order, without abbreviations.
#[must_use]
pub fn filters(dict: &Dict<'_>) -> Vec<String> {
    chain(dict).into_iter().map(|(name, _)| name).collect()
}

/// Decodes a stream that is no image.
///
/// # Errors
/// Says why nothing could be decoded; damage alone is no error.
pub fn stream<'a>(stream: &Stream<'a>, meter: &Meter, page: Option<u32>) -> Result<Decoded<'a>, Refused> {
    let dict = stream.dict();
    if external(dict) {
        return Err(Refused::External);
    }
    let chain = chain(dict);
    let mut decoded = Decoded { data: stream.raw_data(), complete: true };
    for (name, parameters) in chain {
        let left = meter.bytes_left();
        let limit = usize::try_from(left).unwrap_or(usize::MAX);
        let Some(filtered) = apply(&name, &parameters, &decoded.data, limit)? else { continue };
        let Ok((data, whole)) = filtered else {
            meter.inflate(left.saturating_add(1), page);
            return Err(Refused::Budget);
        };
        if !meter.inflate(data.len() as u64, page) {
            return Err(Refused::Budget);
        }
        decoded = Decoded { data: Cow::Owned(data), complete: decoded.complete && whole };
    }
    Ok(decoded)
}

/// The contents of a page, joined. A budget that runs out ends them there.
#[must_use]
pub fn content(page: &Page<'_>, meter: &Meter, number: u32) -> Content {
    let mut content = Content::default();
    let raw = page.raw();
    if let Some(single) = raw.get::<Stream<'_>>("Contents") {
        append(&mut content, &single, meter, number);
    } else if let Some(parts) = raw.get::<Array<'_>>("Contents") {
        for part in parts.raw_iter() {
            let resolved = match part {
                MaybeRef::Ref(reference) => page.xref().get::<Object<'_>>(reference.into()),
                MaybeRef::NotRef(object) => Some(object),
            };
            let Some(part) = resolved.and_then(Object::into_stream) else { continue };
            if !meter.object() || !append(&mut content, &part, meter, number) {
                break;
            }
        }
    }
    content
}

/// Appends one content stream; `false` when a budget ran out.
fn append(content: &mut Content, part: &Stream<'_>, meter: &Meter, number: u32) -> bool {
    let id = part.obj_id();
    let object = ObjectRef(i32::try_from(id.obj_number).unwrap_or(i32::MAX), id.gen_number);
    match stream(part, meter, Some(number)) {
        Ok(decoded) => {
            if !decoded.complete {
                content.broken.push((object, false));
            }
            // An unfiltered stream that an array names a million times is a bomb too.
            if matches!(decoded.data, Cow::Borrowed(_))
                && !meter.inflate(decoded.data.len() as u64, Some(number))
            {
                return false;
            }
            if content.data.len() as u64 + decoded.data.len() as u64 > meter.budgets.stream_bytes {
                meter.hit("stream_bytes", meter.budgets.stream_bytes, Some(number));
                return false;
            }
            content.starts.push((content.data.len(), object));
            content.data.extend_from_slice(&decoded.data);
            content.data.push(b'\n');
            true
        }
        // The meter has noted it: a budget is no damage.
        Err(Refused::Budget) => false,
        Err(_) => {
            content.broken.push((object, true));
            true
        }
    }
}

/// Whether a stream's data are in another file.
#[must_use]
pub fn external(dict: &Dict<'_>) -> bool {
    matches!(dict.get::<Object<'_>>("F"), Some(Object::String(_) | Object::Dict(_)))
}

/// The filters with their parameters.
fn chain<'a>(dict: &Dict<'a>) -> Vec<(String, Dict<'a>)> {
    let parameters: Vec<Dict<'a>> = match dict.get::<Object<'a>>("DecodeParms") {
        Some(Object::Dict(one)) => vec![one],
        // A `null` keeps its place.
        Some(Object::Array(many)) => {
            many.iter::<Object<'a>>().take(16).map(|one| one.into_dict().unwrap_or_default()).collect()
        }
        _ => Vec::new(),
    };
    let names = match dict.get::<Object<'a>>("Filter") {
        Some(Object::Name(one)) => vec![full(&one)],
        Some(Object::Array(many)) => many.iter::<Name<'a>>().take(16).map(|one| full(&one)).collect(),
        _ => Vec::new(),
    };
    let mut parameters = parameters.into_iter();
    names.into_iter().map(|name| (name, parameters.next().unwrap_or_default())).collect()
}

/// The full name of a filter, which inline images abbreviate.
fn full(name: &Name<'_>) -> String {
    match name.as_str() {
        "AHx" => "ASCIIHexDecode",
        "A85" => "ASCII85Decode",
        "LZW" => "LZWDecode",
        "Fl" => "FlateDecode",
        "RL" => "RunLengthDecode",
        "CCF" => "CCITTFaxDecode",
        "DCT" => "DCTDecode",
        other => return other.chars().take(64).collect(),
    }
    .to_owned()
}

/// Applies one filter; `None` for one that leaves the data as they are.
fn apply(name: &str, parameters: &Dict<'_>, data: &[u8], limit: usize) -> Result<Option<Filtered>, Refused> {
    Ok(Some(match name {
        "FlateDecode" => predict(flate::decode(data, limit), parameters),
        "LZWDecode" => {
            let early = parameters.get::<i32>("EarlyChange") != Some(0);
            predict(lzw::decode(data, early, limit), parameters)
        }
        "ASCIIHexDecode" => Ok(ascii::hex(data)),
        "ASCII85Decode" => Ok(ascii::base85(data)),
        "RunLengthDecode" => ascii::run_length(data, limit),
        // Decryption has happened already.
        "Crypt" => return Ok(None),
        "DCTDecode" | "JPXDecode" | "JBIG2Decode" | "CCITTFaxDecode" => return Err(Refused::Image),
        _ => return Err(Refused::Filter),
    }))
}

/// Undoes a predictor.
fn predict(filtered: Filtered, parameters: &Dict<'_>) -> Filtered {
    let (data, whole) = filtered?;
    Ok(match predictor::Predictor::read(parameters) {
        Some(predictor) => (predictor.undo(data), whole),
        None => (data, whole),
    })
}
