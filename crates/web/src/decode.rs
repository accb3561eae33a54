//! What was wrong with a value, said without repeating the value.

use mintmark_fault::Fault;
use mintmark_ids::RULE_FOLLOWS;

/// Longest name of a field that is shown, in characters.
const MAX_FIELD: usize = 128;

/// How chrono's errors begin, which name neither what was there nor what should be.
const TIME_ERRORS: [&str; 6] = [
    "input is out of range",
    "no possible date and time matching input",
    "input is not enough for unique date and time",
    "input contains invalid characters",
    "premature end of input",
    "trailing input",
];

/// A 400 for what serde refused. Its messages may repeat input, so only their parts that our own types wrote are used:
/// names of known fields, and what was expected.
pub(crate) fn refuse(code: &'static str, path: &str, message: &str) -> Fault {
    let (field, sentence) = explain(path, message);
    let fault = Fault::new(mintmark_fault::Kind::InvalidInput, code, sentence);
    match field.filter(|field| is_showable(field)) {
        Some(field) => fault.field(field),
        None => fault,
    }
}

fn explain(path: &str, message: &str) -> (Option<String>, String) {
    if let Some(name) = between(message, "missing field `", "`") {
        return (Some(join(path, name)), "this field is missing: it must be given".to_owned());
    }
    if let Some(name) = between(message, "duplicate field `", "`") {
        return (Some(join(path, name)), "this field stands twice: give it once".to_owned());
    }
    let unknown = |end| between(message, "unknown field `", end);
    if let Some(name) = unknown("`, expected ").or_else(|| unknown("`, there are no fields")) {
        let sentence = match expected(message) {
            Some(known) => format!("there is no such field; expected {known}"),
            None => "there is no such field, and no other is expected".to_owned(),
        };
        return (Some(join(path, name)), sentence);
    }
    let own = (path != ".").then(|| path.to_owned());
    let ours = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant `"];
    let sentence = match expected(message).filter(|_| ours.iter().any(|start| message.starts_with(start))) {
        Some(expected) => match expected.strip_prefix(RULE_FOLLOWS) {
            Some(rule) => format!("this value does not fit: {rule}"),
            None => format!("this value does not fit; expected {}", in_words(expected)),
        },
        None if TIME_ERRORS.iter().any(|start| message.starts_with(start)) => {
            "this value does not fit: a time is written as 2026-11-23T08:30:00Z, a day as 2026-11-23"
                .to_owned()
        }
        None => "this value does not fit here".to_owned(),
    };
    (own, sentence)
}

// The last occurrence: what stands before it may be input.
fn expected(message: &str) -> Option<&str> {
    let (_, expected) = message.rsplit_once(", expected ")?;
    Some(expected.split(" at line ").next().unwrap_or(expected))
}

/// serde names the numbers of our types as Rust does, which says nothing to whoever writes JSON.
fn in_words(expected: &str) -> &str {
    match expected {
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 on",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "an object",
        other if other.starts_with("struct ") => "an object",
        other => other,
    }
}

fn between<'a>(message: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = message.strip_prefix(start)?;
    rest.rsplit_once(end).map(|(name, _)| name)
}

// serde names the parent for a missing field and the field itself for an unknown one.
fn join(path: &str, name: &str) -> String {
    if path == "." {
        name.to_owned()
    } else if path == name || path.ends_with(&format!(".{name}")) {
        path.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn is_showable(field: &str) -> bool {
    field.chars().count() <= MAX_FIELD
        && field.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']' | '?'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explain_never_repeats_the_value() {
        let (field, sentence) = explain(
            "units",
            r#"invalid type: string "hunter2, expected secret", expected u32 at line 1 column 9"#,
        );
        assert_eq!(field.as_deref(), Some("units"));
        assert_eq!(sentence, "this value does not fit; expected a whole number from 0 on");
        let (_, sentence) = explain("units", "hunter2 is wrong, expected hunter3");
        assert_eq!(sentence, "this value does not fit here");
    }

    #[test]
    fn explain_names_no_type_of_our_language() {
        for (expected, words) in [
            ("i64", "a whole number"),
            ("f64", "a number"),
            ("a sequence", "a list"),
            ("struct Intent", "an object"),
            ("a string", "a string"),
        ] {
            let (_, sentence) =
                explain("units", &format!("invalid type: null, expected {expected} at line 1 column 9"));
            assert_eq!(sentence, format!("this value does not fit; expected {words}"));
        }
        let tier = serde_json::from_str::<mintmark_auth::Tier>(r#""hunter2""#).unwrap_err();
        let brand = serde_json::from_str::<mintmark_ids::BrandId>(r#""hunter2""#).unwrap_err();
        for (error, rule) in
            [(tier, "a tier is one of free pro enterprise"), (brand, "a brand id starts with `brd_`")]
        {
            let (_, sentence) = explain("it", &error.to_string());
            assert!(sentence.starts_with(&format!("this value does not fit: {rule}")), "{sentence}");
            assert!(!sentence.contains("hunter2"), "{sentence}");
        }
        for text in ["yesterday", "2026-13-01", "2026-11-23T", "2026-11-23x", ""] {
            let error = serde_json::from_value::<chrono::NaiveDate>(text.into()).unwrap_err();
            let (_, sentence) = explain("from", &error.to_string());
            assert!(sentence.ends_with("a day as 2026-11-23"), "{text}: {error}: {sentence}");
        }
    }

    #[test]
    fn refuse_with_a_hostile_field_name_shows_none() {
        let fault = refuse("INVALID_BODY", ".", "unknown field `a\"<script>`, expected `units`");
        assert_eq!(fault.field_name(), None);
        assert_eq!(fault.message(), "there is no such field; expected `units`");
        let fault = refuse("X", ".", "unknown field `a`, expected one of `b`, `c`");
        assert_eq!(fault.field_name(), Some("a"));
        assert_eq!(fault.message(), "there is no such field; expected one of `b`, `c`");
        assert_eq!(refuse("X", ".", "missing field `units`").field_name(), Some("units"));
        assert_eq!(refuse("X", "a.b", "missing field `c`").field_name(), Some("a.b.c"));
    }
}
