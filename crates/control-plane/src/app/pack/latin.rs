//! Text in the encoding of the PDF's standard fonts, and how wide it is.
//!
//! The fonts are not embedded, so only the characters of Windows-1252 can be printed. Other Latin letters lose their mark
//! (`ő` becomes `o`); a text in another script cannot be printed at all, and its label goes without it.

/// Windows-1252 from 0x80 to 0x9F; the five places without a character hold NUL.
const HIGH: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“',
    '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];

/// The letters from U+0100 to U+017F without their marks.
const LATIN_EXTENDED_A: &str = "AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIiIiJjKkkLlLlLlLlLlNnNnNnnNnOoOoOo\
                                ŒœRrRrRrSsSsSsŠšTtTtTtUuUuUuUuUuUuWwYyŸZzZzŽžs";

/// Widths of Helvetica from 0x20 to 0x7E in thousandths of the font's size (Adobe's metrics of the standard fonts).
const HELVETICA: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278,
    500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469,
    556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500,
    278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// What the widest character takes; a line that is measured with it is never too long.
const WIDEST: u32 = 1015;

const ELLIPSIS: u8 = 0x85;

/// The text in Windows-1252; none when a character has no counterpart there.
pub(super) fn encode(text: &str) -> Option<Vec<u8>> {
    text.chars().filter(|char| !is_mark(*char)).map(byte).collect()
}

/// A combining mark, as decomposed text has them behind the letter.
fn is_mark(char: char) -> bool {
    matches!(char, '\u{300}'..='\u{36f}')
}

fn byte(char: char) -> Option<u8> {
    match char {
        ' '..='~' | '\u{a1}'..='\u{ff}' => u8::try_from(u32::from(char)).ok(),
        '\0' => None,
        _ if char.is_whitespace() => Some(b' '),
        '\u{100}'..='\u{17f}' => LATIN_EXTENDED_A.chars().nth(char as usize - 0x100).and_then(byte),
        _ => HIGH.iter().position(|high| *high == char).map(|place| 0x80 + place as u8),
    }
}

/// The width in Helvetica, in thousandths of the font's size; never less than the true one.
pub(super) fn width(text: &[u8]) -> u32 {
    let of = |byte: u8| {
        byte.checked_sub(b' ')
            .and_then(|place| HELVETICA.get(usize::from(place)))
            .map_or(WIDEST, |&width| u32::from(width))
    };
    text.iter().map(|&byte| of(byte)).sum()
}

/// Breaks a text into at most `lines` lines of at most `width` thousandths; what does not fit gives way to an ellipsis.
pub(super) fn wrap(text: &[u8], limit: u32, lines: usize) -> Vec<Vec<u8>> {
    let mut rows: Vec<Vec<u8>> = Vec::new();
    let mut rest: &[u8] = text.trim_ascii();
    while !rest.is_empty() {
        let fitting =
            (1..=rest.len()).take_while(|&length| width(&rest[..length]) <= limit).last().unwrap_or(1);
        if rows.len() + 1 == lines && fitting < rest.len() {
            rows.push(shortened(&rest[..fitting], limit));
            return rows;
        }
        // At the last space that fits; a word that is longer than a line breaks anywhere.
        let at = if fitting == rest.len() || rest[fitting] == b' ' {
            fitting
        } else {
            rest[..fitting].iter().rposition(|&byte| byte == b' ').unwrap_or(fitting)
        };
        let (row, after) = rest.split_at(at);
        rows.push(row.trim_ascii_end().to_vec());
        rest = after.trim_ascii_start();
    }
    rows
}

fn shortened(row: &[u8], limit: u32) -> Vec<u8> {
    let mut row = row.trim_ascii_end().to_vec();
    while !row.is_empty() && width(&row) + WIDEST > limit {
        row.pop();
    }
    row.truncate(row.trim_ascii_end().len());
    row.push(ELLIPSIS);
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> Option<String> {
        let back = |byte: u8| match byte {
            0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
            byte => char::from(byte),
        };
        encode(text).map(|bytes| bytes.into_iter().map(back).collect())
    }

    #[test]
    fn encode_keeps_windows_1252_and_strips_marks_of_other_latin_letters() {
        for (text, expected) in [
            ("Crème brûlée – “Größe” 5€", "Crème brûlée – “Größe” 5€"),
            ("Łódź, Győr, Plzeň", "Lódz, Gyor, Plzen"),
            ("Cre\u{300}me", "Creme"),
            ("a\u{a0}b\u{2009}c", "a b c"),
        ] {
            assert_eq!(printed(text).unwrap(), expected, "{text}");
        }
        assert_eq!(LATIN_EXTENDED_A.chars().count(), 0x80);
    }

    #[test]
    fn encode_of_another_script_is_none() {
        for text in ["绿茶", "Чай", "Tea 🍵", "a\0b", "a\u{7f}", "a\u{81}"] {
            assert_eq!(printed(text), None, "{text:?}");
        }
    }

    #[test]
    fn wrap_keeps_every_word_that_fits_and_no_line_is_too_long() {
        let text = b"Green tea of the second flush, hand picked, and then some more words";
        for limit in [6_000, 9_000, 20_000] {
            for row in wrap(text, limit, 3) {
                assert!(width(&row) <= limit, "{:?}", String::from_utf8_lossy(&row));
            }
            let all = wrap(text, limit, 1_000);
            assert_eq!(all.join(&b' '), text, "{limit}");
        }
        assert_eq!(wrap(text, 9_000, 2).last().unwrap().last(), Some(&ELLIPSIS));
        assert_eq!(wrap(b"abcdefghij", 1_700, 9).concat(), b"abcdefghij");
        assert!(wrap(b"  ", 9_000, 3).is_empty());
    }
}
