//! Paths and queries made of what people type, each part encoded: an id can never become another path.

use std::fmt::Write as _;

/// `/v1/brands/{brand}/batches` of its parts.
pub fn path(parts: &[&str]) -> String {
    parts.iter().fold(String::new(), |mut path, part| {
        path.push('/');
        encode(part, &mut path);
        path
    })
}

/// A path with the parameters that have a value.
pub fn query(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut out = path.to_owned();
    let mut separator = if path.contains('?') { '&' } else { '?' };
    for (name, value) in parameters {
        if let Some(value) = value {
            out.push(separator);
            out.push_str(name);
            out.push('=');
            encode(value, &mut out);
            separator = '&';
        }
    }
    out
}

fn encode(text: &str, out: &mut String) {
    // A part of dots alone would be resolved by the client before it is sent.
    if text.bytes().all(|byte| byte == b'.') {
        text.bytes().for_each(|_| out.push_str("%2E"));
        return;
    }
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{path, query};

    #[test]
    fn path_keeps_what_is_typed_in_its_place() {
        assert_eq!(path(&["v1", "brands", "brd_1", "batches"]), "/v1/brands/brd_1/batches");
        assert_eq!(path(&["v1", "brands", "../api/admin?x#y"]), "/v1/brands/..%2Fapi%2Fadmin%3Fx%23y");
    }

    #[test]
    fn query_leaves_out_what_has_no_value() {
        assert_eq!(query("/a", &[("b", None), ("c", Some("1&2")), ("d", Some("x"))]), "/a?c=1%262&d=x");
        assert_eq!(query("/a?z=1", &[("c", Some("ü"))]), "/a?z=1&c=%C3%BC");
    }
}
