//! Tokens of objects: enough to see where dictionaries begin and end, and their keys.

use super::bytes::{Cursor, white};

/// A token; its content only where somebody wants it.
pub(super) enum Token<'a> {
    /// A dictionary or an array begins.
    Open {
        /// A dictionary.
        dict: bool,
    },
    /// One ends.
    Close,
    /// A name, as it is written, without its slash.
    Name(&'a [u8]),
    /// Anything else.
    Other,
}

/// The next token, after white space and comments.
pub(super) fn token<'a>(cursor: &mut Cursor<'a>) -> Option<Token<'a>> {
    loop {
        cursor.skip_white();
        if !cursor.tag(b"%") {
            break;
        }
        cursor.at += cursor.rest().iter().take_while(|byte| !matches!(byte, b'\r' | b'\n')).count();
    }
    if cursor.tag(b"<<") {
        return Some(Token::Open { dict: true });
    }
    if cursor.tag(b">>") || cursor.tag(b"]") {
        return Some(Token::Close);
    }
    match *cursor.rest().first()? {
        b'[' => {
            cursor.at += 1;
            Some(Token::Open { dict: false })
        }
        b'<' => {
            let end = memchr::memchr(b'>', cursor.rest());
            cursor.at += end.map_or(cursor.rest().len(), |end| end + 1);
            end.map(|_| Token::Other)
        }
        b'(' => string(cursor),
        b'/' => {
            cursor.at += 1;
            Some(Token::Name(regular(cursor)))
        }
        _ => {
            let word = regular(cursor);
            // A stray delimiter is not of this object.
            (!word.is_empty() && !matches!(word, b"endobj" | b"stream")).then_some(Token::Other)
        }
    }
}

/// Passes over a literal string.
fn string<'a>(cursor: &mut Cursor<'a>) -> Option<Token<'a>> {
    let mut depth = 0_usize;
    let mut escaped = false;
    for (index, byte) in cursor.rest().iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            cursor.at += index + 1;
            return Some(Token::Other);
        }
    }
    cursor.at += cursor.rest().len();
    None
}

/// Regular characters.
fn regular<'a>(cursor: &mut Cursor<'a>) -> &'a [u8] {
    let delimiter =
        |byte: u8| matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%');
    let rest = cursor.rest();
    let length = rest.iter().take_while(|byte| !white(**byte) && !delimiter(**byte)).count();
    cursor.at += length;
    &rest[..length]
}
