//! The header of a JPEG 2000 file: its colour space and bits, without decoding it.

use crate::facts::Family;

/// What the header says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) bits: Option<u8>,
    pub(super) family: Option<Family>,
}

/// Boxes looked at.
const MAX_BOXES: usize = 64;

/// Reads the header boxes; of a bare code stream the `SIZ` marker.
pub(super) fn header(data: &[u8]) -> Header {
    if data.starts_with(&[0xff, 0x4f, 0xff, 0x51]) {
        return code_stream(data);
    }
    let mut found = Header::default();
    boxes(data, &mut |kind, body| {
        if kind == b"jp2h" {
            boxes(body, &mut |kind, body| match (kind, body) {
                (b"ihdr", [_, _, _, _, _, _, _, _, _, _, bits, ..]) if *bits != 255 => {
                    found.bits = Some((bits & 0x7f) + 1);
                }
                // Method 1, enumerated; the first box that is understood counts.
                (b"colr", [1, _, _, a, b, c, d, ..]) if found.family.is_none() => {
                    found.family = match u32::from_be_bytes([*a, *b, *c, *d]) {
                        12 => Some(Family::DeviceCMYK),
                        16 | 18 => Some(Family::DeviceRGB),
                        17 => Some(Family::DeviceGray),
                        _ => None,
                    };
                }
                _ => {}
            });
        }
    });
    found
}

fn boxes<'d>(mut data: &'d [u8], each: &mut dyn FnMut(&[u8], &'d [u8])) {
    for _ in 0..MAX_BOXES {
        let [a, b, c, d, k0, k1, k2, k3, ..] = data else { return };
        let length = match u32::from_be_bytes([*a, *b, *c, *d]) as usize {
            0 => data.len(),
            length if length >= 8 => length,
            // A length of eight bytes follows the kind; such boxes hold code streams.
            _ => return,
        };
        let end = length.min(data.len());
        each(&[*k0, *k1, *k2, *k3], data.get(8..end).unwrap_or_default());
        data = data.get(end..).unwrap_or_default();
    }
}

fn code_stream(data: &[u8]) -> Header {
    // After the two markers: length 2, capabilities 2, eight sizes of 4, components 2, then depth of the first.
    let depth = data.get(42).map(|depth| (depth & 0x7f) + 1);
    let family = match data.get(40..42) {
        Some([0, 1]) => Some(Family::DeviceGray),
        Some([0, 3]) => Some(Family::DeviceRGB),
        Some([0, 4]) => Some(Family::DeviceCMYK),
        _ => None,
    };
    Header { bits: depth, family }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&u32::try_from(body.len() + 8).unwrap().to_be_bytes()[..], kind, body].concat()
    }

    #[test]
    fn enumerated_space_and_bits_are_read() {
        let header_box = boxed(b"ihdr", &[0, 0, 0, 9, 0, 0, 0, 9, 0, 4, 7, 7, 0, 0]);
        let colour = boxed(b"colr", &[1, 0, 0, 0, 0, 0, 12]);
        let file =
            [boxed(b"jP  ", &[13, 10, 135, 10]), boxed(b"jp2h", &[header_box, colour].concat())].concat();
        assert_eq!(header(&file), Header { bits: Some(8), family: Some(Family::DeviceCMYK) });
    }

    #[test]
    fn truncated_header_says_nothing() {
        assert_eq!(header(&[0, 0, 0, 40, b'j', b'p', b'2', b'h', 0, 0]), Header::default());
        assert_eq!(header(&[]), Header::default());
    }
}
