//! The file as bytes: header, end markers, what lies before and after them.

use memchr::memmem;

use crate::facts::File;

/// How far into the file a header is looked for (ISO 32000-1, annex H.3.4.1 names 1,024 bytes).
const HEADER_WITHIN: usize = 1_024;

/// What the bytes show without reading any object.
pub(super) fn read(bytes: &[u8]) -> File {
    let mut file = File { bytes: bytes.len() as u64, ..File::default() };
    let start = &bytes[..bytes.len().min(HEADER_WITHIN)];
    if let Some(at) = memmem::find(start, b"%PDF-") {
        file.bytes_before_header = at as u64;
        let rest = &bytes[at + 5..bytes.len().min(at + 15)];
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        file.header_version = Some(String::from_utf8_lossy(&rest[..length]).into_owned());
    }
    for at in memmem::find_iter(bytes, b"%%EOF") {
        file.revisions = file.revisions.saturating_add(1);
        let after = &bytes[at + 5..];
        file.bytes_after_eof = after.trim_ascii().len() as u64;
    }
    // A linearised file has an end marker after its first page's table too; it is no update.
    if file.revisions > 1 && memmem::find(start, b"/Linearized").is_some() {
        file.revisions -= 1;
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_counts_junk_and_revisions() {
        let file = read(b"junk\n%PDF-1.6\n1 0 obj\nendobj\n%%EOF\nmore\n%%EOF\r\nrest \n");
        assert_eq!(file.header_version.as_deref(), Some("1.6"));
        assert_eq!((file.bytes_before_header, file.bytes_after_eof, file.revisions), (5, 4, 2));
        let file = read(b"hello");
        assert_eq!((file.header_version, file.revisions, file.bytes), (None, 0, 5));
    }

    #[test]
    fn read_of_a_linearised_file_has_one_revision() {
        assert_eq!(read(b"%PDF-1.4\n1 0 obj\n<</Linearized 1>>\n%%EOF\n%%EOF\n").revisions, 1);
    }
}
