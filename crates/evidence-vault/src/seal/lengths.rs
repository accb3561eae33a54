//! Lengths of plaintext and ciphertext, and where a chunk lies.

use super::{CHUNK_LEN, HEADER_LEN, MAX_CHUNKS, SEALED_CHUNK_LEN, SealError, TAG_LEN};

const CHUNK: u64 = CHUNK_LEN as u64;
const SEALED: u64 = SEALED_CHUNK_LEN as u64;
const HEADER: u64 = HEADER_LEN as u64;
const TAG: u64 = TAG_LEN as u64;

/// The longest plaintext: its last chunk is short.
pub const MAX_PLAINTEXT: u64 = MAX_CHUNKS * CHUNK - 1;

/// How many chunks a plaintext of this length makes: at least one.
pub fn chunks(plaintext: u64) -> Result<u64, SealError> {
    if plaintext > MAX_PLAINTEXT { Err(SealError::TooLong) } else { Ok(plaintext / CHUNK + 1) }
}

/// The ciphertext's length of a plaintext.
pub fn ciphertext_len(plaintext: u64) -> Result<u64, SealError> {
    Ok(HEADER + plaintext + TAG * chunks(plaintext)?)
}

/// The plaintext's length of a ciphertext; refuses each length that no message has.
pub fn plaintext_len(ciphertext: u64) -> Result<u64, SealError> {
    let chunks = ciphertext.checked_sub(HEADER).ok_or(SealError::Length)?;
    let (full, rest) = (chunks / SEALED, chunks % SEALED);
    // A full chunk cannot be the last, and the last has its tag.
    let last = rest.checked_sub(TAG).ok_or(SealError::Length)?;
    if full >= MAX_CHUNKS {
        return Err(SealError::TooLong);
    }
    Ok(full * CHUNK + last)
}

/// Where a chunk begins in the ciphertext.
pub(super) const fn chunk_at(chunk: u64) -> u64 {
    HEADER + chunk * SEALED
}
