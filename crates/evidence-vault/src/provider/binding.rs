//! What a ciphertext is bound to: fields, each with its length before it, so that no two lists give the same bytes.

use super::Bound;
use mintmark_ids::KekId;

/// A suite and its fields as associated data: each is preceded by its length in four bytes, big-endian.
pub fn canonical(suite: &str, fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(160);
    for field in std::iter::once(suite.as_bytes()).chain(fields.iter().copied()) {
        // A field is an id or a slug; one of four gigabytes cannot be.
        bytes.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(field);
    }
    bytes
}

/// Associated data of a wrapped data-encryption key.
pub(super) fn of_dek(bound: Bound<'_>, kek: KekId) -> Vec<u8> {
    let (record, kek) = (bound.record.to_string(), kek.to_string());
    canonical(
        "mintmark:dek:v1",
        &[bound.tenant.as_str().as_bytes(), record.as_bytes(), kek.as_bytes(), b"content"],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_keeps_borders_of_fields() {
        assert_ne!(canonical("s", &[b"ab", b"c"]), canonical("s", &[b"a", b"bc"]));
        assert_ne!(canonical("s", &[b"ab"]), canonical("s", &[b"ab", b""]));
        assert_ne!(canonical("sa", &[b"b"]), canonical("s", &[b"ab"]));
        assert_eq!(canonical("s", &[b"a"]), [0, 0, 0, 1, b's', 0, 0, 0, 1, b'a']);
    }
}
