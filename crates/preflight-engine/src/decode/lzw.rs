//! LZW as TIFF and PDF write it.

use super::{Filtered, TooLong};

const CLEAR: usize = 256;
const END: usize = 257;
const FIRST: usize = 258;
const CODES: usize = 4096;

/// Decodes up to `limit` bytes. `early` is `EarlyChange`: codes grow one entry sooner than they would have to.
pub(super) fn decode(data: &[u8], early: bool, limit: usize) -> Filtered {
    // Every string of the table is a run of the output: the last string and the byte after it.
    let mut table: Vec<(usize, usize)> = Vec::with_capacity(CODES - FIRST);
    let mut out: Vec<u8> = Vec::new();
    let mut last: Option<(usize, usize)> = None;
    let (mut buffer, mut bits, mut width) = (0_u32, 0_u32, 9_u32);
    let mut input = data.iter();
    loop {
        while bits < width {
            let Some(byte) = input.next() else { return Ok((out, false)) };
            buffer = (buffer << 8) | u32::from(*byte);
            bits += 8;
        }
        bits -= width;
        let code = ((buffer >> bits) & ((1 << width) - 1)) as usize;
        let start = out.len();
        match (code, last) {
            (CLEAR, _) => {
                table.clear();
                width = 9;
                last = None;
                continue;
            }
            (END, _) => return Ok((out, true)),
            (0..CLEAR, _) => out.push(code.to_le_bytes()[0]),
            (_, Some((from, length))) if code - FIRST == table.len() => {
                out.extend_from_within(from..from + length);
                out.push(out[from]);
            }
            _ => match table.get(code - FIRST) {
                Some(&(from, length)) => out.extend_from_within(from..from + length),
                None => return Ok((out, false)),
            },
        }
        if out.len() > limit {
            return Err(TooLong);
        }
        if let Some((from, length)) = last
            && table.len() < CODES - FIRST
        {
            table.push((from, length + 1));
        }
        last = Some((start, out.len() - start));
        width = match FIRST + table.len() + usize::from(early) {
            0..512 => 9,
            512..1024 => 10,
            1024..2048 => 11,
            _ => 12,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of ISO 32000-1, 7.4.4.2.
    #[test]
    fn decode_reads_the_example_of_the_standard() {
        let encoded = [0x80, 0x0b, 0x60, 0x50, 0x22, 0x0c, 0x0c, 0x85, 0x01];
        assert_eq!(
            decode(&encoded, true, 100).unwrap(),
            (vec![45, 45, 45, 45, 45, 65, 45, 45, 45, 66], true)
        );
        assert_eq!(decode(&encoded, true, 9), Err(TooLong));
        assert!(!decode(&encoded[..4], true, 100).unwrap().1);
    }

    /// A plain encoder, so that codes grow through all widths.
    fn encode(data: &[u8], early: bool) -> Vec<u8> {
        let mut table = std::collections::HashMap::new();
        let (mut out, mut buffer, mut bits, mut width) = (Vec::new(), 0_u64, 0_u32, 9_u32);
        let mut put = |code: usize, width: u32| {
            buffer = (buffer << width) | code as u64;
            bits += width;
            while bits >= 8 {
                bits -= 8;
                out.push((buffer >> bits) as u8);
                buffer &= (1 << bits) - 1;
            }
        };
        put(CLEAR, width);
        let mut current: Vec<u8> = Vec::new();
        let code_of = |table: &std::collections::HashMap<Vec<u8>, usize>, s: &[u8]| {
            if s.len() == 1 { usize::from(s[0]) } else { table[s] }
        };
        for &byte in data {
            let mut longer = current.clone();
            longer.push(byte);
            if longer.len() == 1 || table.contains_key(&longer) {
                current = longer;
                continue;
            }
            put(code_of(&table, &current), width);
            table.insert(longer, FIRST + table.len());
            // The encoder is one entry ahead of the decoder.
            width = match FIRST + table.len() - 1 + usize::from(early) {
                0..512 => 9,
                512..1024 => 10,
                1024..2048 => 11,
                _ => 12,
            };
            if FIRST + table.len() >= 4094 {
                put(CLEAR, width);
                table.clear();
                width = 9;
            }
            current = vec![byte];
        }
        put(code_of(&table, &current), width);
        put(END, width);
        put(0, 7);
        out
    }

    #[test]
    fn decode_follows_the_growing_codes() {
        let data: Vec<u8> = (0..60_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 27) as u8).collect();
        for early in [true, false] {
            let (out, _) = decode(&encode(&data, early), early, 1 << 20).unwrap();
            assert!(out.starts_with(&data[..data.len() - 1]), "early {early}");
        }
    }
}
