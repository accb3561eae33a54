//! Checks of single values; a fault names the field. Lengths are in characters (Unicode scalar values).

use std::fmt::Display;
use std::ops::RangeInclusive;

use mintmark_fault::Fault;

/// Longest e-mail address (RFC 5321: 256 with its angle brackets).
const MAX_EMAIL: usize = 254;

/// A text of a length within `length`, without control characters, directional overrides or space around it.
///
/// # Errors
/// 400 `TEXT_LENGTH`, `TEXT_CHARACTER` or `TEXT_SPACE`.
pub fn text<'a>(
    field: &'static str,
    value: &'a str,
    length: RangeInclusive<usize>,
) -> Result<&'a str, Fault> {
    if !length.contains(&value.chars().count()) {
        let sentence = format!("this text must have from {} to {} characters", length.start(), length.end());
        return Err(Fault::invalid("TEXT_LENGTH", field, sentence));
    }
    if value.chars().any(is_unprintable) {
        let sentence = "this text must not contain control characters or directional overrides";
        return Err(Fault::invalid("TEXT_CHARACTER", field, sentence));
    }
    if value.trim() != value {
        return Err(Fault::invalid("TEXT_SPACE", field, "this text must not begin or end with a space"));
    }
    Ok(value)
}

/// An e-mail address, as far as one can tell without writing to it: one `@` with something on both sides, no space.
///
/// # Errors
/// 400 `EMAIL_INVALID`, or what `text` refuses.
pub fn email<'a>(field: &'static str, value: &'a str) -> Result<&'a str, Fault> {
    text(field, value, 3..=MAX_EMAIL)?;
    let sides = value.split_once('@').filter(|(user, host)| !user.is_empty() && !host.is_empty());
    let whole = sides.is_some_and(|(_, host)| !host.contains('@')) && !value.contains(char::is_whitespace);
    if whole {
        Ok(value)
    } else {
        Err(Fault::invalid("EMAIL_INVALID", field, "this is not an e-mail address"))
    }
}

/// A number within a range.
///
/// # Errors
/// 400 `OUT_OF_RANGE`.
pub fn within<T: PartialOrd + Display>(
    field: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<T, Fault> {
    if range.contains(&value) {
        return Ok(value);
    }
    let sentence = format!("this must be from {} to {}", range.start(), range.end());
    Err(Fault::invalid("OUT_OF_RANGE", field, sentence))
}

// Overrides and isolates reorder what people read: a brand's name could show as another's.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_good_name_is_given_back() {
        assert_eq!(text("name", "Café Ångström 東京", 1..=20).unwrap(), "Café Ångström 東京");
        assert_eq!(text("name", "éééé", 1..=4).unwrap(), "éééé", "characters, not bytes");
    }

    #[test]
    fn text_of_a_bad_name_names_field_and_reason() {
        for (value, code) in [
            ("", "TEXT_LENGTH"),
            ("ééééé", "TEXT_LENGTH"),
            ("a\nb", "TEXT_CHARACTER"),
            ("a\0b", "TEXT_CHARACTER"),
            ("a\u{202e}b", "TEXT_CHARACTER"),
            (" a", "TEXT_SPACE"),
            ("  ", "TEXT_SPACE"),
        ] {
            let fault = text("name", value, 1..=4).unwrap_err();
            assert_eq!((fault.code(), fault.field_name()), (code, Some("name")), "{value:?}");
        }
    }

    #[test]
    fn email_without_two_sides_is_refused() {
        assert!(email("email", "ada@example.org").is_ok());
        for value in ["ada", "@example.org", "ada@", "a@b@c", "a b@c"] {
            assert_eq!(email("email", value).unwrap_err().code(), "EMAIL_INVALID", "{value}");
        }
    }

    #[test]
    fn within_refuses_what_is_outside() {
        assert_eq!(within("units", 5, 1..=5).unwrap(), 5);
        assert_eq!(within("units", 6, 1..=5).unwrap_err().message(), "this must be from 1 to 5");
    }
}
