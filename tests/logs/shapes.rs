//! What has the shape of a secret or of a printable code, whoever made it.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use mintmark_auth::API_KEY_PREFIX;
use mintmark_auth::control::CONTROL_PREFIX;
use mintmark_codes::Code;

/// A line without any of these has none of the shapes but a code's.
static MARKS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let marks = [CONTROL_PREFIX, API_KEY_PREFIX, "eyJ", "PRIVATE KEY-", "X-Amz-Signature=", "earer ", "://"];
    AhoCorasick::new(marks).unwrap()
});

/// What stands in a line that must not.
pub fn found(line: &str) -> Option<&'static str> {
    if MARKS.is_match(line)
        && let Some(shape) = marked(line)
    {
        return Some(shape);
    }
    has_code(line.as_bytes()).then_some("a printable code")
}

fn marked(line: &str) -> Option<&'static str> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    // So many characters of a word follow each place where `mark` stands.
    let followed = |mark: &str, least: usize| {
        line.match_indices(mark)
            .any(|(at, _)| line[at + mark.len()..].bytes().take_while(|&byte| word(byte)).count() >= least)
    };
    // Key ids, which are shown, are shorter than these two.
    if followed(CONTROL_PREFIX, 20) {
        return Some("a control token");
    }
    if followed(API_KEY_PREFIX, 40) {
        return Some("an API key");
    }
    if line.match_indices("eyJ").any(|(at, _)| is_jwt(&line[at..])) {
        return Some("a JWT");
    }
    if line.contains("PRIVATE KEY-") {
        return Some("a private key");
    }
    if followed("X-Amz-Signature=", 20) {
        return Some("a signed URL");
    }
    if followed("Bearer ", 20) || followed("bearer ", 20) {
        return Some("a bearer token");
    }
    line.match_indices("://").any(|(at, _)| has_password(&line[at + 3..])).then_some("a URL with a password")
}

fn is_jwt(text: &str) -> bool {
    let end = |byte: &u8| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-' | b'.');
    let token = &text[..text.bytes().position(|byte| end(&byte)).unwrap_or(text.len())];
    let parts: Vec<&str> = token.split('.').collect();
    matches!(parts.as_slice(), [_, claims, signature, ..] if claims.starts_with("eyJ") && signature.len() >= 20)
}

/// Whether what follows a scheme is `user:password@host`.
fn has_password(rest: &str) -> bool {
    let end = rest.find(['/', '"', ' ', '?', '\\']).unwrap_or(rest.len());
    let Some((user, _)) = rest[..end].rsplit_once('@') else { return false };
    // What is hidden on purpose is no password.
    user.split_once(':').is_some_and(|(_, password)| !password.is_empty() && !password.starts_with('*'))
}

/// Whether a code stands alone among other characters: 20 characters of the alphabet, or five groups of four, in one case.
/// One that has only letters or only digits is a word or a number.
fn has_code(line: &[u8]) -> bool {
    let mut start = 0;
    for (at, byte) in line.iter().copied().chain([b' ']).enumerate() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            continue;
        }
        if at - start >= Code::LEN && is_code(&line[start..at]) {
            return true;
        }
        start = at + 1;
    }
    false
}

fn is_code(word: &[u8]) -> bool {
    let grouped = word.len() == Code::LEN + 4 && word.iter().skip(4).step_by(5).all(|&byte| byte == b'-');
    if word.len() != Code::LEN && !grouped {
        return false;
    }
    let characters = || word.iter().filter(|&&byte| byte != b'-');
    let fits = |upper: bool| {
        characters().all(|&byte| {
            let letter = if upper { byte.is_ascii_uppercase() } else { byte.is_ascii_lowercase() };
            byte.is_ascii_digit() || (letter && !b"ILOU".contains(&byte.to_ascii_uppercase()))
        })
    };
    let digits = characters().filter(|byte| byte.is_ascii_digit()).count();
    characters().count() == Code::LEN && (1..Code::LEN).contains(&digits) && (fits(true) || fits(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_knows_each_shape() {
        let jwt = format!("eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJ4In0.{}", "A".repeat(86));
        let key = format!("{API_KEY_PREFIX}live_k3yid_{}", "0a".repeat(36));
        let control = format!("{CONTROL_PREFIX}{}", "a1B2".repeat(10));
        for (secret, shape) in [
            (jwt.as_str(), "a JWT"),
            (&key, "an API key"),
            (&control, "a control token"),
            ("-----BEGIN PRIVATE KEY-----", "a private key"),
            ("https://x/y?X-Amz-Signature=0123456789abcdef0123456789", "a signed URL"),
            ("authorization: Bearer 0123456789abcdef0123456789", "a bearer token"),
            ("postgres://user:pass@host/db", "a URL with a password"),
            ("0A1B2C3D4E5F6G7H8J9K", "a printable code"),
            ("0a1b2c3d4e5f6g7h8j9k", "a printable code"),
            ("0A1B-2C3D-4E5F-6G7H-8J9K", "a printable code"),
            ("HTTPS://ID.EXAMPLE/01/09506000134352/21/0A1B2C3D4E5F6G7H8J9K", "a printable code"),
        ] {
            assert_eq!(found(secret), Some(shape), "{secret}");
            assert_eq!(found(&format!(r#"{{"message":"{secret}"}}"#)), Some(shape), "{secret} inside a line");
        }
    }

    #[test]
    fn found_leaves_alone_what_may_be_logged() {
        for harmless in [
            r#"{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331"}"#,
            "batch_01jd3f8s6wexq8f1ymq5kkpn2z 0193a5b8-1c2d-7e3f-8a9b-0c1d2e3f4a5b",
            "AB\u{2022}\u{2022}-\u{2022}\u{2022}\u{2022}\u{2022}-WXYZ 12345678901234567890 THEACKNOWLEDGEMENTSX",
            "http://127.0.0.1:4317 postgres://resolver_scan@127.0.0.1:5432/x postgres://user:***@host/db",
            "mmk_live_k3yid a Bearer token, eyJ in a sentence. mmct_ is a prefix",
        ] {
            assert_eq!(found(harmless), None, "{harmless}");
        }
    }
}
