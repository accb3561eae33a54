//! Which names objects may have.

use std::fmt::Write as _;

use mintmark_fault::{Fault, Result};
use object_store::path::Path;

/// Longer names than the services ever make; well below what file systems and S3 allow.
const LONGEST_PATH: usize = 512;
const LONGEST_SEGMENT: usize = 120;

/// A path that means the same in a URL, in S3 and on a disk, and cannot leave its folder: segments of
/// `[A-Za-z0-9._-]`, not beginning with a dot, joined by `/`.
pub(crate) fn checked(path: &str) -> Result<Path> {
    if path.len() <= LONGEST_PATH
        && path.split('/').all(is_name)
        && let Ok(parsed) = Path::parse(path)
    {
        return Ok(parsed);
    }
    Err(Fault::invalid(
        "OBJECT_PATH_INVALID",
        "path",
        "an object's path is made of letters, digits, '.', '_' and '-', in segments joined by '/'",
    ))
}

/// Whether this may stand in `Content-Disposition` and in a path without any escaping.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=LONGEST_SEGMENT).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// A file name that may be signed.
pub(crate) fn checked_name(name: &str) -> Result<()> {
    if is_name(name) {
        return Ok(());
    }
    let sentence = "a file name is made of letters, digits, '.', '_' and '-'";
    Err(Fault::invalid("FILE_NAME_INVALID", "fileName", sentence))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _infallible = write!(out, "{byte:02x}");
        out
    })
}

/// What every store says about caching what a signed URL gives.
pub const CACHE_CONTROL: &str = "private, no-store";

/// What every store says about a file behind a signed URL; for a name that was checked.
pub fn attachment(name: &str) -> String {
    format!("attachment; filename=\"{name}\"")
}

/// What every store says about the content of an object with this path.
pub fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        Some((_, "zip")) => "application/zip",
        Some((_, "json")) => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checked_takes_plain_paths_only() {
        for good in ["a", "exports/acme/exp_01/part-0001.zip", "A_b.c-d/0"] {
            assert_eq!(checked(good).unwrap().as_ref(), good);
        }
        let long = ["a"; 300].join("/");
        let bad = [
            "", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/./b", ".hidden", "a b", "a\nb",
            "a\\b", "a%2fb", "ä", "a#1", "a\0b", &long,
        ];
        for bad in bad {
            assert_eq!(checked(bad).unwrap_err().code(), "OBJECT_PATH_INVALID", "{bad:?}");
        }
    }
}
