//! Crockford's base32: upper-case to write, forgiving to read.

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const UNKNOWN: u8 = 0xff;

/// Values by byte: both cases, and the look-alikes O (0), I and L (1). U stays unknown.
const VALUES: [u8; 256] = {
    let mut values = [UNKNOWN; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        let letter = ALPHABET[value];
        values[letter as usize] = value as u8;
        values[letter.to_ascii_lowercase() as usize] = value as u8;
        value += 1;
    }
    let look_alikes = [(b'O', 0), (b'I', 1), (b'L', 1)];
    let mut at = 0;
    while at < look_alikes.len() {
        let (letter, value) = look_alikes[at];
        values[letter as usize] = value;
        values[letter.to_ascii_lowercase() as usize] = value;
        at += 1;
    }
    values
};

/// The character for the low five bits of `bits`.
pub(crate) const fn character(bits: u128) -> u8 {
    ALPHABET[(bits & 31) as usize]
}

/// The character that a reader meant by `byte`, or `None` when codes never hold it.
pub(crate) fn canonical(byte: u8) -> Option<u8> {
    match VALUES[usize::from(byte)] {
        UNKNOWN => None,
        value => Some(ALPHABET[usize::from(value)]),
    }
}

/// The five bits of a character that [`canonical`] gave.
pub(crate) fn value(canonical: u8) -> u16 {
    u16::from(VALUES[usize::from(canonical)] & 31)
}
