//! Media types of uploads: recorded and given back, never believed.

use mintmark_fault::{Fault, Result};

/// Longest that is kept.
const LONGEST: usize = 127;

/// A media type (RFC 9110) without anything that could end a header or open a tag: `type/subtype` and parameters whose
/// values are tokens.
///
/// # Errors
/// 400 `MEDIA_TYPE_INVALID`.
pub fn checked(text: &str) -> Result<&str> {
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().and_then(|essence| essence.split_once('/'));
    let good_essence = essence.is_some_and(|(kind, sub)| is_token(kind) && is_token(sub));
    let good_parameters =
        parts.all(|part| part.split_once('=').is_some_and(|(name, value)| is_token(name) && is_token(value)));
    if text.len() <= LONGEST && good_essence && good_parameters {
        return Ok(text);
    }
    let sentence =
        "mediaType is one like image/jpeg, at most 127 characters, with parameters that need no quotes";
    Err(Fault::invalid("MEDIA_TYPE_INVALID", "mediaType", sentence))
}

/// RFC 9110, 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checked_takes_media_types_and_nothing_else() {
        for good in ["image/jpeg", "application/pdf", "text/plain; charset=utf-8", "application/vnd.ms-excel"]
        {
            assert_eq!(checked(good).unwrap(), good);
        }
        let long = format!("image/{}", "x".repeat(122));
        for bad in [
            "",
            "image",
            "image/",
            "/jpeg",
            "image/jp eg",
            "a/b/c",
            "a/b;",
            "a/b;c",
            "a/b\r\nx: y",
            "a/ü",
            "<a/b>",
            &long,
        ] {
            assert_eq!(checked(bad).unwrap_err().code(), "MEDIA_TYPE_INVALID", "{bad:?}");
        }
    }
}
