//! Whether an image is nothing but white, for pages on which nothing else is painted.
//!
//! Samples are read as a stream until the first that is not white. Only images without a filter or with Flate alone, of one
//! or eight bits a component, are looked at; every other one counts as ink, and so does one beyond the budget.

use std::io::Read;

use flate2::read::ZlibDecoder;
use hayro_syntax::object::{Array, Dict, Number, Stream};

use super::{Walker, images::ImageFacts};
use crate::facts::Family;

/// Bytes of samples looked at on one page.
const MAX_PAGE_BYTES: u64 = 64 << 20;

/// Bytes of one row of samples.
const MAX_ROW: u64 = 1 << 20;

/// Which samples are white.
enum White {
    /// The bytes of a white pixel.
    Pixel(Vec<u8>),
    /// Of one byte a pixel, those that are white.
    Bytes(Box<[bool; 256]>),
    /// Of one bit a pixel, which values are white.
    Bits([bool; 2]),
}

impl<'a> Walker<'a, '_> {
    /// Looks at the images of a page without other ink.
    pub(super) fn look_at_pale_images(&mut self) {
        let of_file = self.tables.sample_bytes;
        let of_page = MAX_PAGE_BYTES.min(of_file);
        let mut left = of_page;
        for facts in std::mem::take(&mut self.out.pale) {
            if self.out.inked {
                return;
            }
            self.out.inked = !self.is_blank(&facts, &mut left).unwrap_or(false);
            self.tables.sample_bytes = of_file - (of_page - left);
        }
    }

    /// Whether every sample is white; `None` where that cannot be said.
    fn is_blank(&mut self, facts: &ImageFacts, left: &mut u64) -> Option<bool> {
        let object = facts.object?;
        let id = hayro_syntax::object::ObjRef::new(u32::try_from(object.0).ok()?, object.1);
        let stream = self.xref.get::<Stream<'a>>(id.into())?;
        let space = facts.space.or_else(|| facts.device.map(|family| self.plain_space(family)))?;
        let components = u64::from(self.tables.spaces.get(space)?.components);
        let shape = &facts.shape;
        let row = shape.width.checked_mul(components * u64::from(shape.bits))?.div_ceil(8);
        let total = row.checked_mul(shape.height)?;
        if shape.filters.len() > 1 || row == 0 || row > MAX_ROW || total > *left {
            return None;
        }
        *left -= total;
        let white = self.white(space, shape.bits, stream.dict())?;
        let raw = stream.raw_data();
        let rows = Rows { row: usize::try_from(row).ok()?, count: shape.height, width: shape.width };
        match shape.filters.first().map(String::as_str) {
            None => rows.all_white(&mut &*raw, Undo::None, &white),
            Some("FlateDecode") => {
                let parameters = stream.dict().get::<Dict<'_>>("DecodeParms").unwrap_or_default();
                let undo = match parameters.get::<i32>("Predictor").unwrap_or(1) {
                    1 => Undo::None,
                    10..=15 => Undo::Png(usize::try_from(components).ok()?),
                    _ => return None,
                };
                rows.all_white(&mut ZlibDecoder::new(&*raw), undo, &white)
            }
            _ => None,
        }
    }

    fn white(&self, space: usize, bits: u8, dict: &Dict<'_>) -> Option<White> {
        let entry = self.tables.spaces.get(space)?;
        let decode: Vec<f64> = dict
            .get::<Array<'_>>("Decode")
            .map(|array| array.iter::<Number>().take(64).map(|number| number.as_f64()).collect())
            .unwrap_or_default();
        let inverted = matches!(decode.as_slice(), [low, high, ..] if low > high);
        if entry.family == Family::Indexed {
            if !decode.is_empty() {
                return None;
            }
            let base = entry.base?;
            let is_white = |row: usize| {
                #[expect(clippy::cast_precision_loss, reason = "at most 255")]
                let (base, values) = self.resolved(Some(space), Some(std::rc::Rc::from([row as f64])));
                values.is_some_and(|values| self.is_white(base, &values))
            };
            self.tables.spaces.get(base)?;
            return match bits {
                1 => Some(White::Bits([is_white(0), is_white(1)])),
                8 => {
                    let mut bytes = Box::new([false; 256]);
                    bytes.iter_mut().enumerate().for_each(|(row, white)| *white = is_white(row));
                    Some(White::Bytes(bytes))
                }
                _ => None,
            };
        }
        let light = match entry.family {
            Family::DeviceGray | Family::CalGray | Family::DeviceRGB | Family::CalRGB => true,
            Family::ICCBased => entry.components != 4,
            Family::DeviceCMYK | Family::Separation | Family::DeviceN => false,
            _ => return None,
        };
        let full = light != inverted;
        match (bits, entry.components) {
            (1, 1) => Some(White::Bits([!full, full])),
            (8, components) => Some(White::Pixel(vec![if full { 255 } else { 0 }; usize::from(components)])),
            _ => None,
        }
    }
}

/// How rows were filtered.
#[derive(Clone, Copy)]
enum Undo {
    None,
    /// With the PNG filters, this many bytes a pixel.
    Png(usize),
}

struct Rows {
    row: usize,
    count: u64,
    width: u64,
}

impl Rows {
    fn all_white(&self, data: &mut dyn Read, undo: Undo, white: &White) -> Option<bool> {
        let (mut row, mut above) = (vec![0u8; self.row], vec![0u8; self.row]);
        for _ in 0..self.count {
            let mut filter = [0u8];
            if let Undo::Png(_) = undo {
                data.read_exact(&mut filter).ok()?;
            }
            data.read_exact(&mut row).ok()?;
            if let Undo::Png(pixel) = undo {
                unfilter(filter[0], pixel.max(1), &mut row, &above);
            }
            if !self.is_white(&row, white) {
                return Some(false);
            }
            std::mem::swap(&mut row, &mut above);
        }
        Some(true)
    }

    fn is_white(&self, row: &[u8], white: &White) -> bool {
        match white {
            White::Pixel(pixel) => row.chunks(pixel.len().max(1)).all(|chunk| chunk == pixel.as_slice()),
            White::Bytes(bytes) => row.iter().all(|byte| bytes.get(usize::from(*byte)) == Some(&true)),
            White::Bits([true, true]) => true,
            White::Bits([false, false]) => false,
            White::Bits([zero, _]) => {
                let wanted = if *zero { 0u8 } else { 0xff };
                // The last byte may hold bits beyond the row.
                let spare = (8 - self.width % 8) % 8;
                row.split_last().is_none_or(|(last, rest)| {
                    rest.iter().all(|byte| *byte == wanted) && (last ^ wanted) >> spare == 0
                })
            }
        }
    }
}

/// Undoes a PNG filter.
fn unfilter(filter: u8, pixel: usize, row: &mut [u8], above: &[u8]) {
    for place in 0..row.len() {
        let left = place.checked_sub(pixel);
        let at = |bytes: &[u8], place: Option<usize>| {
            place.and_then(|place| bytes.get(place)).copied().unwrap_or(0)
        };
        let (a, b, c) = (at(row, left), at(above, Some(place)), at(above, left));
        let predicted = match filter {
            1 => a,
            2 => b,
            #[expect(clippy::cast_possible_truncation, reason = "the mean of two bytes is a byte")]
            3 => (u16::midpoint(u16::from(a), u16::from(b))) as u8,
            4 => paeth(a, b, c),
            _ => 0,
        };
        if let Some(byte) = row.get_mut(place) {
            *byte = byte.wrapping_add(predicted);
        }
    }
}

fn paeth(a: u8, b: u8, c: u8) -> u8 {
    let estimate = i16::from(a) + i16::from(b) - i16::from(c);
    let distance = |value: u8| (estimate - i16::from(value)).abs();
    if distance(a) <= distance(b) && distance(a) <= distance(c) {
        a
    } else if distance(b) <= distance(c) {
        b
    } else {
        c
    }
}
