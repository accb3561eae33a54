//! What a User-Agent says apart from the name of the telephone, which may be "B BOT 550", "Spider" or "HTC Butterfly".

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::rules::pattern;

/// Names of browsers and apps of people that contain a word or a pattern of machines. `okhttp` is how scanner apps on
/// telephones speak, and there a person holds the product.
static SPARED: LazyLock<Regex> = LazyLock::new(|| {
    pattern("sogoumse|sogousearch|sogoumobilebrowser|blackboard/|.viber/|cubot|speedmode; proxy|^okhttp/")
});

/// The User-Agent without the part of its comment that names a telephone, and without names that only look like machines'.
///
/// The name stands in the comment `(Linux; Android …; NAME Build/…)`; what follows the build (`; Storebot-Google/1.0`) is
/// the software's own word and stays.
pub(super) fn without_device(user_agent: &[u8]) -> Cow<'_, [u8]> {
    let said = match device_comment(user_agent) {
        None => Cow::Borrowed(user_agent),
        Some((start, end)) => {
            let comment = &user_agent[start..end];
            let mut said = Vec::with_capacity(user_agent.len());
            said.extend_from_slice(&user_agent[..start]);
            said.push(b' ');
            said.extend_from_slice(after_build(comment));
            said.extend_from_slice(&user_agent[end..]);
            Cow::Owned(said)
        }
    };
    if SPARED.is_match(&said) { Cow::Owned(SPARED.replace_all(&said, &b""[..]).into_owned()) } else { said }
}

/// The first comment that describes a mobile device: from its parenthesis to behind the one that closes it.
fn device_comment(user_agent: &[u8]) -> Option<(usize, usize)> {
    let mut at = 0;
    while let Some(start) = find(&user_agent[at..], b"(").map(|offset| at + offset) {
        let end = closing(user_agent, start);
        let comment = &user_agent[start..end];
        let begins = |word: &str| {
            comment.get(1..=word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word.as_bytes()))
        };
        let mobile = ["linux", "android", "midp", "java", "mobile"].into_iter().any(begins)
            && ["android", "; adr ", "midp"].into_iter().any(|word| find(comment, word.as_bytes()).is_some());
        if mobile {
            return Some((start, end));
        }
        at = end;
    }
    None
}

/// Behind the parenthesis that closes the one at `start`; the end of the text when none does.
fn closing(text: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in text.iter().enumerate().skip(start) {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 1 => return at + 1,
            b')' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

fn after_build(comment: &[u8]) -> &[u8] {
    let Some(build) = find(comment, b"build/") else { return b"" };
    let rest = &comment[build..];
    let end = rest.iter().position(|byte| matches!(byte, b';' | b')')).unwrap_or(rest.len());
    &rest[end..]
}

/// Where `word`, in lower case, first stands in `text` in whatever case.
fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window.eq_ignore_ascii_case(word))
}
