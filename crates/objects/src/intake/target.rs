//! How an object is named.

use std::fmt;
use std::str::FromStr;

use mintmark_fault::{Fault, Result};

/// Longest key, in bytes: S3's own limit.
const LONGEST_KEY: usize = 1024;
/// Longest segment of a key, in bytes: that of file systems.
const LONGEST_SEGMENT: usize = 255;

/// `s3://bucket/key`, read strictly: no other scheme, no host, no query, nothing that needs decoding, no `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    bucket: String,
    key: String,
}

impl Target {
    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The object's key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl FromStr for Target {
    type Err = Fault;

    /// 400 `TARGET_INVALID`.
    fn from_str(text: &str) -> Result<Self> {
        let rest = text.strip_prefix("s3://").ok_or_else(|| invalid("its beginning"))?;
        let (bucket, key) = rest.split_once('/').ok_or_else(|| invalid("its key"))?;
        if !is_bucket(bucket) {
            return Err(invalid("its bucket"));
        }
        if key.is_empty() || key.len() > LONGEST_KEY || !key.split('/').all(is_segment) {
            return Err(invalid("its key"));
        }
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

/// S3's own rule, without the names that look like addresses.
pub(super) fn is_bucket(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| plain(byte) || byte == b'-')
        && name.bytes().next().is_some_and(plain)
        && name.bytes().next_back().is_some_and(plain)
}

/// Whether a segment means the same in a URL that was escaped once, in S3 and on a disk, and stays where it is.
fn is_segment(segment: &str) -> bool {
    (1..=LONGEST_SEGMENT).contains(&segment.len())
        && !matches!(segment, "." | "..")
        && segment == segment.trim()
        && !segment.chars().any(is_refused)
}

/// Characters that decode, separate, or reorder what people read.
fn is_refused(character: char) -> bool {
    character.is_control()
        || matches!(character, '%' | '\\' | '?' | '#' | ':' | '*' | '"' | '<' | '>' | '|')
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffd}')
}

pub(super) fn invalid(what: &str) -> Fault {
    let sentence = format!(
        "{what} is not right: targetFile is s3://bucket/key, with a plain key of at most {LONGEST_KEY} bytes and no escapes"
    );
    Fault::invalid("TARGET_INVALID", "targetFile", sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_str_takes_plain_names_only() {
        for good in [
            "s3://ppos-storage/incoming/validate.pdf",
            "s3://abc/a",
            "s3://abc/Broschüre Umschlag (final)+2_v1.pdf",
            "s3://abc/.hidden/a..b",
        ] {
            assert_eq!(good.parse::<Target>().unwrap().to_string(), good);
        }
        let long = format!("s3://abc/{}", ["a"; 600].join("/"));
        for bad in [
            "",
            "s3://",
            "s3://abc",
            "s3://abc/",
            "s3:///a",
            "s3://ab/a",
            "S3://abc/a",
            "s3:/abc/a",
            "http://abc/a",
            "https://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "gs://abc/a",
            "s3://user@abc/a",
            "s3://abc:80/a",
            "s3://127.0.0.1/a",
            "s3://Abc/a",
            "s3://-abc/a",
            "s3://a.b.c/a",
            "s3://abc/../b",
            "s3://abc/a/..",
            "s3://abc/./a",
            "s3://abc/a/.",
            "s3://abc//a",
            "s3://abc/a//b",
            "s3://abc/a/",
            "s3://abc/%2e%2e/a",
            "s3://abc/a%2fb",
            "s3://abc/a\\b",
            "s3://abc/a?versionId=1",
            "s3://abc/a#b",
            "s3://abc/a\nb",
            "s3://abc/a\0b",
            "s3://abc/ a",
            "s3://abc/a\u{202e}fdp.b",
            " s3://abc/a",
            &long,
        ] {
            assert_eq!(bad.parse::<Target>().unwrap_err().code(), "TARGET_INVALID", "{bad:?}");
        }
    }
}
