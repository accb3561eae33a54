//! Deflate, with and without the frame of zlib.

use flate2::{Decompress, FlushDecompress, Status};

use super::{Filtered, TooLong};

/// Inflates up to `limit` bytes. Damaged data give what could be read.
pub(super) fn decode(data: &[u8], limit: usize) -> Filtered {
    // Some writers put a line end before the data.
    let data = if framed(data) { data } else { data.trim_ascii_start() };
    let (out, whole) = run(data, framed(data), limit)?;
    if whole || !framed(data) {
        return Ok((out, whole));
    }
    // A checksum that is wrong or missing takes nothing away from data that came to their own end.
    let bare = run(&data[2..], false, limit)?;
    if bare.1 {
        return Ok(bare);
    }
    if out.is_empty() { run(data, false, limit) } else { Ok((out, false)) }
}

/// Whether the data begin with the header of zlib.
fn framed(data: &[u8]) -> bool {
    matches!(data, [first, second, ..]
        if first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)).is_multiple_of(31))
}

fn run(data: &[u8], zlib: bool, limit: usize) -> Filtered {
    let mut inflater = Decompress::new(zlib);
    let mut out = Vec::with_capacity(data.len().saturating_mul(4).clamp(512, 1 << 20).min(limit + 1));
    loop {
        if out.len() > limit {
            return Err(TooLong);
        }
        if out.len() == out.capacity() {
            out.reserve_exact(out.len().clamp(512, 8 << 20).min(limit + 1 - out.len()));
        }
        let (read, written) = (inflater.total_in(), inflater.total_out());
        let rest = usize::try_from(read).ok().and_then(|read| data.get(read..)).unwrap_or_default();
        match inflater.decompress_vec(rest, &mut out, FlushDecompress::None) {
            Ok(Status::StreamEnd) => {
                return if out.len() > limit { Err(TooLong) } else { Ok((out, true)) };
            }
            Ok(_) if inflater.total_in() == read && inflater.total_out() == written => {
                return Ok((out, false));
            }
            Ok(_) => {}
            Err(_) => return Ok((out, false)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::ZlibEncoder};

    use super::*;

    fn deflated(data: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn decode_gives_the_data_back() {
        let data: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        assert_eq!(decode(&deflated(&data), 1 << 20).unwrap(), (data, true));
        assert_eq!(decode(&deflated(b""), 1 << 20).unwrap(), (Vec::new(), true));
    }

    #[test]
    fn decode_of_a_frameless_stream_works() {
        let framed = deflated(b"q 1 0 0 1 0 0 cm Q");
        assert_eq!(decode(&framed[2..framed.len() - 4], 100).unwrap().0, b"q 1 0 0 1 0 0 cm Q");
    }

    #[test]
    fn decode_takes_data_whose_checksum_is_wrong_or_missing() {
        let whole = deflated(b"q 1 0 0 1 0 0 cm Q");
        assert_eq!(decode(&whole[..whole.len() - 4], 100).unwrap(), (b"q 1 0 0 1 0 0 cm Q".to_vec(), true));
        let mut wrong = whole;
        *wrong.last_mut().unwrap() ^= 1;
        assert_eq!(decode(&wrong, 100).unwrap(), (b"q 1 0 0 1 0 0 cm Q".to_vec(), true));
    }

    #[test]
    fn decode_stops_at_the_limit() {
        let bomb = deflated(&vec![0; 1_000_000]);
        assert_eq!(decode(&bomb, 999_999), Err(TooLong));
        assert_eq!(decode(&bomb, 1_000_000).unwrap().0.len(), 1_000_000);
    }

    #[test]
    fn decode_of_a_truncated_stream_gives_what_is_there() {
        let data: Vec<u8> =
            (0..50_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let whole = deflated(&data);
        let (out, complete) = decode(&whole[..whole.len() / 2], 1 << 20).unwrap();
        assert!(!complete);
        assert!(out.len() > data.len() / 3 && data.starts_with(&out), "{}", out.len());
    }

    #[test]
    fn decode_of_a_corrupt_stream_gives_what_is_there() {
        let data: Vec<u8> = (0..50_000_u32).flat_map(|i| (i % 977).to_le_bytes()).collect();
        let mut whole = deflated(&data);
        let middle = whole.len() / 2;
        for byte in &mut whole[middle..middle + 40] {
            *byte = 0xff;
        }
        let (out, complete) = decode(&whole, 1 << 20).unwrap();
        assert!(!complete && !out.is_empty());
    }
}
