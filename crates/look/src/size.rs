//! Width and height as the headers of image files state them. `None`: not such a file, or not a still one.

/// PNG (W3C PNG, section 11.2.1): the signature, then IHDR with both as 32 bits.
pub(crate) fn png(file: &[u8]) -> Option<(u32, u32)> {
    let header = file.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR")?;
    Some((be32(header, 0)?, be32(header, 4)?))
}

/// JPEG (ITU T.81, annex B): segments until the frame header, which has the height before the width.
pub(crate) fn jpeg(file: &[u8]) -> Option<(u32, u32)> {
    let mut rest = file.strip_prefix(&[0xff, 0xd8])?;
    loop {
        let marker = match rest {
            [0xff, 0xff, ..] => {
                rest = rest.get(1..)?; // A fill byte.
                continue;
            }
            [0xff, marker, ..] => *marker,
            _ => return None,
        };
        let segment = rest.get(2..)?;
        match marker {
            // Start of frame, in any coding; C4, C8 and CC are tables and a reserved number.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                return Some((be16(segment, 5)?, be16(segment, 3)?));
            }
            // Pixels or the end before any frame.
            0xd8..=0xda => return None,
            // Markers without a segment.
            0x01 | 0xd0..=0xd7 => rest = segment,
            _ => {
                let length = usize::try_from(be16(segment, 0)?).ok().filter(|length| *length >= 2)?;
                rest = segment.get(length..)?;
            }
        }
    }
}

/// WebP (RFC 9649): the first chunk is one of three and says the size in its own way.
pub(crate) fn webp(file: &[u8]) -> Option<(u32, u32)> {
    const ANIMATED: u8 = 0b10;
    let chunks = file.strip_prefix(b"RIFF")?.get(4..)?.strip_prefix(b"WEBP")?;
    let data = chunks.get(8..)?;
    match chunks.get(..4)? {
        b"VP8X" if data.first()? & ANIMATED == 0 => Some((le24(data, 4)? + 1, le24(data, 7)? + 1)),
        b"VP8L" if *data.first()? == 0x2f => {
            let bits = u32::from_le_bytes(data.get(1..5)?.try_into().ok()?);
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8 " if data.get(3..6)? == [0x9d, 0x01, 0x2a] => {
            Some((le16(data, 6)? & 0x3fff, le16(data, 8)? & 0x3fff))
        }
        _ => None,
    }
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn be16(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?).into())
}

fn le16(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?).into())
}

fn le24(bytes: &[u8], at: usize) -> Option<u32> {
    let [low, middle, high] = bytes.get(at..at + 3)?.try_into().ok()?;
    Some(u32::from_le_bytes([low, middle, high, 0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jpeg_finds_the_frame_behind_other_segments() {
        let mut file = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xc4, 0, 3, 9];
        file.extend([0xff, 0xc2, 0, 11, 8, 0, 200, 1, 64, 1]);
        assert_eq!(jpeg(&file), Some((320, 200)));
        for end in 0..file.len() - 1 {
            assert_eq!(jpeg(&file[..end]), None, "{end}");
        }
        assert_eq!(jpeg(&[0xff, 0xd8, 0xff, 0xda, 0, 2]), None, "pixels without a frame");
        assert_eq!(jpeg(&[0xff, 0xd8, 0xff, 0xe0, 0, 0, 0xff, 0xe0]), None, "a segment of no length");
    }

    #[test]
    fn webp_reads_each_of_the_three_chunks() {
        let file = |kind: &[u8], data: &[u8]| [b"RIFF\0\0\0\0WEBP", kind, b"\0\0\0\0", data].concat();
        let lossy = file(b"VP8 ", &[0, 0, 0, 0x9d, 0x01, 0x2a, 64, 1, 200, 0]);
        assert_eq!(webp(&lossy), Some((320, 200)));
        let lossless = file(b"VP8L", &[&[0x2f][..], &(319_u32 | 199 << 14).to_le_bytes()].concat());
        assert_eq!(webp(&lossless), Some((320, 200)));
        let extended = file(b"VP8X", &[0, 0, 0, 0, 63, 1, 0, 199, 0, 0]);
        assert_eq!(webp(&extended), Some((320, 200)));
        let animated = file(b"VP8X", &[2, 0, 0, 0, 63, 1, 0, 199, 0, 0]);
        assert_eq!(webp(&animated), None);
        assert_eq!(webp(&lossy[..lossy.len() - 1]), None);
    }
}
