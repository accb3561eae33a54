//! Advance widths and heights of fonts: good enough for the boxes of text.
//!
//! Simple fonts by `Widths`, composite ones by `W` and `DW`. Fonts without widths (the standard fourteen) get typical widths
//! of their family by class of character. Codes of a composite font are taken as CIDs, which `Identity-H` and nearly all
//! print files mean; with another character map the default width counts. Heights are those of the descriptor, or 0.8 above
//! and 0.2 below the baseline.

use std::collections::HashMap;

use hayro_syntax::object::{Array, Dict, Name, Number, Object, Stream};

use super::geometry::numbers;
use crate::{budget::Meter, decode};

/// Widths kept of one font: as many as there are CIDs.
const MAX_WIDTHS: usize = 65_536;

/// First code, last code, width of each.
type Range = (u32, u32, f64);

#[derive(Debug)]
enum Widths {
    Simple { first: usize, widths: Vec<f64>, missing: f64 },
    Composite { default: f64, widths: HashMap<u32, f64>, ranges: Vec<Range> },
    Typical { fixed: bool },
}

/// Advance widths and heights of a font, in units of its size.
#[derive(Debug)]
pub struct FontMetrics {
    widths: Widths,
    /// Bytes of a code.
    pub(super) code_bytes: usize,
    pub(super) vertical: bool,
    pub(super) ascent: f64,
    pub(super) descent: f64,
    /// Whether code 32 certainly is a space: it paints nothing.
    pub(super) blank_space: bool,
}

fn number(dict: &Dict<'_>, key: &str) -> Option<f64> {
    dict.get::<Number>(key).map(|number| number.as_f64()).filter(|number| number.abs() < 1e6)
}

impl FontMetrics {
    /// Reads a font dictionary.
    pub(super) fn read(dict: &Dict<'_>, meter: &Meter) -> Self {
        let subtype = dict.get::<Name<'_>>("Subtype");
        match subtype.as_ref().map(AsRef::as_ref) {
            Some(b"Type0") => Self::composite(dict, meter),
            Some(b"Type3") => Self::type3(dict),
            _ => Self::simple(dict),
        }
    }

    fn simple(dict: &Dict<'_>) -> Self {
        let descriptor = dict.get::<Dict<'_>>("FontDescriptor");
        let (ascent, descent) = heights(descriptor.as_ref());
        let widths = match dict.get::<Array<'_>>("Widths") {
            Some(array) => Widths::Simple {
                first: dict.get::<u16>("FirstChar").map_or(0, usize::from),
                widths: widths(&array, 0.001),
                missing: descriptor.as_ref().and_then(|dict| number(dict, "MissingWidth")).unwrap_or(0.0)
                    * 0.001,
            },
            None => {
                let name = dict.get::<Name<'_>>("BaseFont");
                Widths::Typical { fixed: name.is_some_and(|name| name.as_ref().starts_with(b"Courier")) }
            }
        };
        Self { widths, code_bytes: 1, vertical: false, ascent, descent, blank_space: blank_space(dict) }
    }

    fn type3(dict: &Dict<'_>) -> Self {
        let matrix: [f64; 6] = dict
            .get::<Array<'_>>("FontMatrix")
            .and_then(|array| numbers(&array))
            .unwrap_or([0.001, 0.0, 0.0, 0.001, 0.0, 0.0]);
        let [_, low, _, high]: [f64; 4] =
            dict.get::<Array<'_>>("FontBBox").and_then(|array| numbers(&array)).unwrap_or_default();
        let (descent, ascent) = (low * matrix[3], high * matrix[3]);
        let flat = ascent == descent;
        let widths = Widths::Simple {
            first: dict.get::<u16>("FirstChar").map_or(0, usize::from),
            widths: dict
                .get::<Array<'_>>("Widths")
                .map(|array| widths(&array, matrix[0]))
                .unwrap_or_default(),
            missing: 0.0,
        };
        Self {
            widths,
            code_bytes: 1,
            vertical: false,
            ascent: if flat { 0.8 } else { ascent.max(descent) },
            descent: if flat { -0.2 } else { descent.min(ascent) },
            blank_space: false,
        }
    }

    fn composite(dict: &Dict<'_>, meter: &Meter) -> Self {
        let descendant = dict
            .get::<Array<'_>>("DescendantFonts")
            .and_then(|array| array.iter::<Dict<'_>>().next())
            .unwrap_or_default();
        let (ascent, descent) = heights(descendant.get::<Dict<'_>>("FontDescriptor").as_ref());
        let (mut vertical, mut code_bytes, mut by_code) = (false, 2, false);
        match dict.get::<Object<'_>>("Encoding") {
            Some(Object::Name(name)) => {
                vertical = name.as_ref().ends_with(b"-V") || name.as_ref() == b"V";
                by_code = name.as_ref().starts_with(b"Identity");
            }
            Some(Object::Stream(map)) => {
                vertical = map.dict().get::<i32>("WMode") == Some(1);
                code_bytes = map_code_bytes(&map, meter).unwrap_or(2);
            }
            _ => {}
        }
        let default = number(&descendant, "DW").unwrap_or(1000.0) * 0.001;
        let (widths, ranges) = match descendant.get::<Array<'_>>("W") {
            Some(array) if by_code => composite_widths(&array),
            _ => (HashMap::new(), Vec::new()),
        };
        Self {
            widths: Widths::Composite { default, widths, ranges },
            code_bytes,
            vertical,
            ascent,
            descent,
            blank_space: false,
        }
    }

    /// The width of a code, in units of the font's size.
    pub(super) fn width(&self, code: u32) -> f64 {
        match &self.widths {
            Widths::Simple { first, widths, missing } => (code as usize)
                .checked_sub(*first)
                .and_then(|place| widths.get(place))
                .copied()
                .unwrap_or(*missing),
            Widths::Composite { default, widths, ranges } => {
                if let Some(width) = widths.get(&code) {
                    return *width;
                }
                let range = ranges.partition_point(|(first, _, _)| *first <= code).checked_sub(1);
                match range.and_then(|place| ranges.get(place)) {
                    Some((_, last, width)) if code <= *last => *width,
                    _ => *default,
                }
            }
            Widths::Typical { fixed: true } => 0.6,
            Widths::Typical { fixed: false } => typical(code),
        }
    }
}

/// A typical width of a proportional text face.
const fn typical(code: u32) -> f64 {
    match code {
        0x20 | 0x21 | 0x27 | 0x28 | 0x29 | 0x2c | 0x2e | 0x2f | 0x3a | 0x3b | 0x49 | 0x5b..=0x5d => 0.278,
        0x66 | 0x69 | 0x6a | 0x6c | 0x72 | 0x74 | 0x7c => 0.26,
        0x40 | 0x4d | 0x57 | 0x6d | 0x77 | 0x25 => 0.83,
        0x41..=0x5a => 0.67,
        _ => 0.54,
    }
}

fn widths(array: &Array<'_>, scale: f64) -> Vec<f64> {
    array
        .iter::<Object<'_>>()
        .take(MAX_WIDTHS)
        .map(|item| item.into_number().map_or(0.0, |number| number.as_f64() * scale))
        .map(|width| if width.abs() < 1e3 { width } else { 0.0 })
        .collect()
}

/// `W`: `first [width …]` and `first last width`.
fn composite_widths(array: &Array<'_>) -> (HashMap<u32, f64>, Vec<Range>) {
    let (mut widths, mut ranges) = (HashMap::new(), Vec::new());
    let mut items = array.iter::<Object<'_>>();
    let code = |number: &Number| u32::try_from(number.as_i64()).unwrap_or(0);
    while let (Some(Object::Number(first)), Some(second)) = (items.next(), items.next()) {
        if widths.len() + ranges.len() >= MAX_WIDTHS {
            break;
        }
        match second {
            Object::Array(list) => {
                for (place, width) in list.iter::<Number>().take(MAX_WIDTHS).enumerate() {
                    widths.insert(code(&first).saturating_add(place as u32), width.as_f64() * 0.001);
                }
            }
            Object::Number(last) => {
                let Some(Object::Number(width)) = items.next() else { break };
                ranges.push((code(&first), code(&last), width.as_f64() * 0.001));
            }
            _ => break,
        }
    }
    ranges.sort_by_key(|(first, _, _)| *first);
    (widths, ranges)
}

fn heights(descriptor: Option<&Dict<'_>>) -> (f64, f64) {
    let height = |key| descriptor.and_then(|dict| number(dict, key)).map(|height| height * 0.001);
    let ascent = height("Ascent").filter(|ascent| (0.1..2.5).contains(ascent)).unwrap_or(0.8);
    // Some producers write the descent without its sign.
    let descent = height("Descent").map(|descent| -descent.abs()).filter(|descent| *descent > -2.0);
    (ascent, descent.filter(|descent| *descent < 0.0).unwrap_or(-0.2))
}

/// Whether code 32 of a simple font is the glyph `space` by a named encoding.
fn blank_space(dict: &Dict<'_>) -> bool {
    let named = |name: &Name<'_>| {
        matches!(name.as_ref(), b"WinAnsiEncoding" | b"MacRomanEncoding" | b"StandardEncoding")
    };
    match dict.get::<Object<'_>>("Encoding") {
        Some(Object::Name(name)) => named(&name),
        Some(Object::Dict(encoding)) => match glyph_name(&encoding, 32) {
            Some(name) => name == b"space",
            None => encoding.get::<Name<'_>>("BaseEncoding").is_some_and(|name| named(&name)),
        },
        _ => false,
    }
}

/// The name that the `Differences` of an encoding give a code.
pub(super) fn glyph_name(encoding: &Dict<'_>, wanted: i64) -> Option<Vec<u8>> {
    let mut code = 0i64;
    for item in encoding.get::<Array<'_>>("Differences")?.iter::<Object<'_>>().take(2_048) {
        match item {
            Object::Number(number) => code = number.as_i64(),
            Object::Name(name) => {
                if code == wanted {
                    return Some(name.as_ref().to_vec());
                }
                code = code.saturating_add(1);
            }
            _ => {}
        }
    }
    None
}

/// Bytes of a code by the first range of a character map's code space.
fn map_code_bytes(map: &Stream<'_>, meter: &Meter) -> Option<usize> {
    let decoded = decode::stream(map, meter, None).ok()?;
    let needle = b"begincodespacerange";
    let at = memchr::memmem::find(&decoded.data, needle)? + needle.len();
    let rest = decoded.data.get(at..)?;
    let open = rest.iter().take(64).position(|byte| *byte == b'<')?;
    let close = rest.iter().take(64).position(|byte| *byte == b'>')?;
    let digits = rest.get(open + 1..close)?.iter().filter(|byte| byte.is_ascii_hexdigit()).count();
    Some(digits.div_ceil(2)).filter(|bytes| (1..=4).contains(bytes))
}
