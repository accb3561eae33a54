//! The header of an ICC profile, its description and its fingerprint.

use hayro_syntax::object::Stream;
use sha2::{Digest, Sha256};

use super::access;
use crate::{budget::Meter, decode, facts::IccProfile};

/// Longest description kept, in characters.
const DESCRIPTION: usize = 120;
/// Tags of a profile that are looked at.
const TAGS: usize = 256;

/// What the header of a profile says; `None` where there is no readable profile in the stream.
#[must_use]
pub fn profile(stream: &Stream<'_>, meter: &Meter) -> Option<IccProfile> {
    let decoded = decode::stream(stream, meter, None).ok()?;
    let data = decoded.data.as_ref();
    // ICC.1, 7.2: version in bytes 8 and 9, class 12, colour space 16, the signature `acsp` 36.
    // Its first four bytes are its length: a profile that is cut off is none.
    if data.get(36..40)? != b"acsp" || word(data, 0)? > data.len() {
        return None;
    }
    Some(IccProfile {
        class: signature(data, 12)?,
        space: signature(data, 16)?,
        version: format!("{}.{}", data.get(8)?, data.get(9)? >> 4),
        components: access::integer(stream.dict(), "N").and_then(|n| u8::try_from(n).ok()),
        bytes: data.len() as u64,
        description: description(data),
        sha256: Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect(),
        object: access::stream_ref(stream),
    })
}

/// Four characters, without the spaces behind them.
fn signature(data: &[u8], at: usize) -> Option<String> {
    let text = String::from_utf8_lossy(data.get(at..at + 4)?).into_owned();
    Some(access::cut(text.trim_end_matches([' ', '\0'])))
}

fn word(data: &[u8], at: usize) -> Option<usize> {
    let bytes = data.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()
}

/// The description tag: text in version 2, the first of several languages in version 4.
fn description(data: &[u8]) -> Option<String> {
    let count = word(data, 128)?.min(TAGS);
    let entry = (0..count).map(|index| 132 + 12 * index).find(|at| data.get(*at..at + 4) == Some(b"desc"))?;
    let (start, length) = (word(data, entry + 4)?, word(data, entry + 8)?);
    let tag = data.get(start..start.checked_add(length)?.min(data.len()))?;
    let text = match tag.get(..4)? {
        b"desc" => {
            let length = word(tag, 8)?.min(4 * DESCRIPTION);
            let text = tag.get(12..)?;
            String::from_utf8_lossy(&text[..length.min(text.len())]).into_owned()
        }
        b"mluc" => {
            let (length, offset) = (word(tag, 20)?.min(4 * DESCRIPTION), word(tag, 24)?);
            let text = tag.get(offset..offset.checked_add(length)?.min(tag.len()))?;
            let units: Vec<u16> =
                text.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            String::from_utf16_lossy(&units)
        }
        _ => return None,
    };
    let text = text.trim_end_matches('\0').trim();
    (!text.is_empty()).then(|| access::cut(text).chars().take(DESCRIPTION).collect())
}
