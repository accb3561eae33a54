//! The 26-character form of 128 bits that TypeID 0.3 defines: Crockford's alphabet in lower case, most significant
//! character first, the two spare bits at the front zero, and no leniency.

/// Characters of an encoded 128-bit value: 26 × 5 bits = 130, of which the first two are always zero.
pub(crate) const LEN: usize = 26;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

const NOT_IN_ALPHABET: u8 = 0xff;

const VALUES: [u8; 256] = {
    let mut values = [NOT_IN_ALPHABET; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    values
};

pub(crate) fn encode(bits: u128) -> [u8; LEN] {
    let mut out = [0; LEN];
    let mut rest = bits;
    for slot in out.iter_mut().rev() {
        *slot = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    out
}

/// `None` unless `text` is exactly what [`encode`] writes for some value.
pub(crate) fn decode(text: &[u8]) -> Option<u128> {
    // A first character above 7 would be a value of 2^128 or more.
    if text.len() != LEN || text[0] > b'7' {
        return None;
    }
    text.iter().try_fold(0u128, |bits, &character| {
        let value = VALUES[usize::from(character)];
        (value != NOT_IN_ALPHABET).then(|| (bits << 5) | u128::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn encode_of_the_extremes_is_the_published_vector() {
        // From the test vectors of the TypeID specification, 0.3.
        assert_eq!(&encode(0), b"00000000000000000000000000");
        assert_eq!(&encode(1), b"00000000000000000000000001");
        assert_eq!(&encode(32), b"00000000000000000000000010");
        assert_eq!(&encode(u128::MAX), b"7zzzzzzzzzzzzzzzzzzzzzzzzz");
        assert_eq!(&encode(0x0110_c853_1d09_52d8_d73e_1194_e95b_5f19), b"0123456789abcdefghjkmnpqrs");
        assert_eq!(&encode(0x0189_0a5d_ac96_774b_bcce_b302_099a_8057), b"01h455vb4pex5vsknk084sn02q");
    }

    #[test]
    fn decode_refuses_what_encode_never_writes() {
        for text in [
            "",
            "0000000000000000000000000",
            "000000000000000000000000000",
            "8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "zzzzzzzzzzzzzzzzzzzzzzzzzz",
            "0123456789ABCDEFGHJKMNPQRS",
            "01234567-9abcdefghjkmnpqrs",
            "0123456789abcdefghjkmnpqru",
            "0123456789abcdefghjkmnpqri",
            " 123456789abcdefghjkmnpqrs",
        ] {
            assert_eq!(decode(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn decode_of_encode_is_the_value(bits: u128) {
            prop_assert_eq!(decode(&encode(bits)), Some(bits));
        }

        #[test]
        fn encode_of_decode_is_the_text(text in "[0-9a-z]{26}") {
            if let Some(bits) = decode(text.as_bytes()) {
                prop_assert_eq!(&encode(bits)[..], text.as_bytes());
            }
        }

        #[test]
        fn encode_keeps_the_order_of_values(a: u128, b: u128) {
            prop_assert_eq!(a.cmp(&b), encode(a).cmp(&encode(b)));
        }
    }
}
