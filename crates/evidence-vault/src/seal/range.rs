//! Which part of the ciphertext a range of the plaintext needs.

use std::ops::Range;

use super::lengths::{chunk_at, chunks, ciphertext_len};
use super::{CHUNK_LEN, SealError};

/// The chunks that hold a range of a plaintext whose length is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// First and past the last byte of the plaintext.
    pub plaintext: Range<u64>,
    /// The bytes of the ciphertext that hold them: whole chunks, the header not among them.
    pub ciphertext: Range<u64>,
    /// Number of the first chunk.
    pub(super) first: u64,
    /// Number after the last chunk.
    pub(super) end: u64,
    /// Chunks of the whole message.
    pub(super) total: u64,
    /// Plaintext length of the message.
    pub(super) length: u64,
}

impl Window {
    /// The window of `length` bytes from `offset`, cut at the end of the plaintext; `None` where the range begins past the
    /// end or is empty. Of an empty plaintext the one range from 0 is its whole.
    pub fn new(plaintext_len: u64, offset: u64, length: Option<u64>) -> Result<Option<Self>, SealError> {
        let total = chunks(plaintext_len)?;
        let end = offset.saturating_add(length.unwrap_or(u64::MAX)).min(plaintext_len);
        let whole_of_nothing = plaintext_len == 0 && offset == 0 && length != Some(0);
        if (offset >= end) && !whole_of_nothing {
            return Ok(None);
        }
        let first = offset / CHUNK_LEN as u64;
        // A range up to the end takes the last chunk too, even an empty one: it is what says that nothing is missing.
        let past = if end == plaintext_len { total } else { (end - 1) / CHUNK_LEN as u64 + 1 };
        let stop = if past == total { ciphertext_len(plaintext_len)? } else { chunk_at(past) };
        let ciphertext = chunk_at(first)..stop;
        Ok(Some(Window {
            plaintext: offset..end,
            ciphertext,
            first,
            end: past,
            total,
            length: plaintext_len,
        }))
    }

    /// The last chunk alone, of which nothing is released: opening it proves the message's length.
    pub fn last_chunk(plaintext_len: u64) -> Result<Self, SealError> {
        let total = chunks(plaintext_len)?;
        let ciphertext = chunk_at(total - 1)..ciphertext_len(plaintext_len)?;
        let plaintext = plaintext_len..plaintext_len;
        Ok(Window { plaintext, ciphertext, first: total - 1, end: total, total, length: plaintext_len })
    }
}
