//! The small filters: hexadecimal, base 85, run lengths. Data that end without their end marker are whole: many writers
//! leave it out.

use super::{Filtered, TooLong};

/// `ASCIIHexDecode`; shorter than its input.
pub(super) fn hex(data: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::with_capacity(data.len() / 2);
    let (mut high, mut whole) = (None, true);
    for &byte in data {
        let Some(digit) = (byte as char).to_digit(16) else {
            if byte.is_ascii_whitespace() || byte == 0 {
                continue;
            }
            whole = byte == b'>';
            break;
        };
        let digit = digit.to_le_bytes()[0];
        match high.take() {
            Some(upper) => out.push(upper << 4 | digit),
            None => high = Some(digit),
        }
    }
    out.extend(high.map(|upper| upper << 4));
    (out, whole)
}

/// `ASCII85Decode`; at most four times its input (`z`).
pub(super) fn base85(data: &[u8]) -> (Vec<u8>, bool) {
    let data = data.strip_prefix(b"<~").unwrap_or(data);
    let mut out = Vec::with_capacity(data.len() / 5 * 4);
    let (mut value, mut digits) = (0_u64, 0_usize);
    for &byte in data {
        match byte {
            b'z' if digits == 0 => out.extend_from_slice(&[0; 4]),
            b'!'..=b'u' => {
                value = value * 85 + u64::from(byte - b'!');
                digits += 1;
                if digits == 5 {
                    let Ok(word) = u32::try_from(value) else { return (out, false) };
                    out.extend_from_slice(&word.to_be_bytes());
                    (value, digits) = (0, 0);
                }
            }
            b'~' => return (rest(out, value, digits), true),
            _ if byte.is_ascii_whitespace() || byte == 0 => {}
            _ => return (out, false),
        }
    }
    (rest(out, value, digits), true)
}

/// The last group of base 85, of two to four digits.
fn rest(mut out: Vec<u8>, mut value: u64, digits: usize) -> Vec<u8> {
    if digits > 1 {
        for _ in digits..5 {
            value = value * 85 + 84;
        }
        let bytes = u32::try_from(value).unwrap_or(u32::MAX).to_be_bytes();
        out.extend_from_slice(&bytes[..digits - 1]);
    }
    out
}

/// `RunLengthDecode`.
pub(super) fn run_length(data: &[u8], limit: usize) -> Filtered {
    let mut out = Vec::new();
    let mut rest = data;
    while let [length, tail @ ..] = rest {
        let length = usize::from(*length);
        if length == 128 {
            return Ok((out, true));
        }
        if length < 128 {
            let (run, after) = tail.split_at(tail.len().min(length + 1));
            out.extend_from_slice(run);
            rest = after;
        } else if let [byte, after @ ..] = tail {
            out.resize(out.len() + 257 - length, *byte);
            rest = after;
        } else {
            return Ok((out, false));
        }
        if out.len() > limit {
            return Err(TooLong);
        }
    }
    Ok((out, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_reads_odd_digits_and_white_space() {
        assert_eq!(hex(b"48 65\n6c6C 6f2>"), (b"Hello ".to_vec(), true));
        assert_eq!(hex(b"4865"), (b"He".to_vec(), true));
        assert_eq!(hex(b"4865x"), (b"He".to_vec(), false));
    }

    #[test]
    fn base85_reads_groups_of_any_length() {
        assert_eq!(base85(b"<~87cURD]i,\"Ebo80~>"), (b"Hello World!".to_vec(), true));
        assert_eq!(base85(b"87cURDZ~>"), (b"Hello".to_vec(), true));
        assert_eq!(base85(b"z~>"), (vec![0; 4], true));
        assert!(!base85(b"uuuuu~>").1);
    }

    #[test]
    fn run_length_repeats_and_copies() {
        assert_eq!(
            run_length(&[4, 10, 11, 12, 13, 14, 253, 3, 128], 100).unwrap().0,
            [10, 11, 12, 13, 14, 3, 3, 3, 3]
        );
        assert_eq!(run_length(&[129, 1], 100), Err(TooLong));
        assert_eq!(run_length(&[200], 100).unwrap(), (Vec::new(), false));
    }
}
