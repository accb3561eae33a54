//! One form for all bodies that say the same.

use std::io::Write;

use ring::digest::{Context, SHA256};
use serde_json::Value;

/// SHA-256 of the canonical form. What is not JSON is hashed as it is; an extractor has refused it before.
pub(super) fn fingerprint(received: &[u8]) -> [u8; 32] {
    let canonical = match serde_json::from_slice::<Value>(received) {
        Ok(value) => {
            let mut text = Vec::with_capacity(received.len());
            write(&value, &mut text);
            text
        }
        Err(_) => received.to_vec(),
    };
    let mut hash = Context::new(&SHA256);
    hash.update(&canonical);
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(hash.finish().as_ref());
    fingerprint
}

// Keys are sorted here and not by the map: whether serde_json keeps them in order depends on features of other crates.
fn write(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| name.as_str());
            list(b"{}", members, text, |(name, member), text| {
                scalar(&Value::String(name.clone()), text);
                text.push(b':');
                write(member, text);
            });
        }
        Value::Array(items) => list(b"[]", items, text, write),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => scalar(value, text),
    }
}

fn list<T>(
    brackets: &[u8; 2],
    items: impl IntoIterator<Item = T>,
    text: &mut Vec<u8>,
    each: impl Fn(T, &mut Vec<u8>),
) {
    text.push(brackets[0]);
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        each(item, text);
    }
    text.push(brackets[1]);
}

fn scalar(value: &Value, text: &mut Vec<u8>) {
    // Writing into a Vec cannot fail.
    let _infallible = write!(text, "{value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_of_the_same_said_differently_is_the_same() {
        let one = fingerprint(br#"{"a":1,"b":{"x":[1,2],"y":"\u00e9"}}"#);
        let other = fingerprint("{ \"b\": {\"y\": \"é\", \"x\": [1, 2]}, \"a\": 1 }".as_bytes());
        assert_eq!(one, other);
    }

    #[test]
    fn fingerprint_of_something_else_differs() {
        let all = [
            r#"{"a":1}"#,
            r#"{"a":2}"#,
            r#"{"a":"1"}"#,
            r#"{"a":[1]}"#,
            r#"{"a":1,"b":null}"#,
            r#"[1,2]"#,
            "[2,1]",
        ];
        let prints: std::collections::BTreeSet<_> =
            all.iter().map(|text| fingerprint(text.as_bytes())).collect();
        assert_eq!(prints.len(), all.len());
    }
}
