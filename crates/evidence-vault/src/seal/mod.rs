//! The format of encrypted content: C2SP chunked encryption with AES-256-GCM ("Cobblestone-256").
//!
//! ```text
//! salt (24) || commitment (32) || chunk 0 || chunk 1 || … || last chunk
//! key (32) || base nonce (12) || commitment = HKDF-Expand-SHA-512(DEK,
//!     "c2sp.org/chunked-encryption@v1+" || "AEAD_AES_256_GCM" || 0x00 || salt || context)
//! ```
//!
//! A chunk is 16 KiB of plaintext and GCM's tag; the last one is always shorter, and may be empty, so a truncated message
//! is one that ends in a full chunk. A chunk's nonce is the base nonce XOR its number. What this gives us: pieces are
//! authenticated before they are released, memory is constant, any range can be read alone, a key other than the one that
//! encrypted is refused before anything is decrypted (the commitment), and the context makes a ciphertext that was moved to
//! another record or tenant another message altogether.
//!
//! [`Sealer`] encrypts, [`Opener`] decrypts a whole message or the chunks of a [`Window`], [`lengths`] is the arithmetic of
//! both directions.
//!
//! See <https://c2sp.org/chunked-encryption>. The format's public vectors are run in `tests`.

mod key;
pub mod lengths;
mod opener;
mod range;
mod sealer;

#[cfg(test)]
mod tests;

pub use opener::{Opener, open};
pub use range::Window;
pub use sealer::{Digests, Sealed, Sealer, seal};

/// Plaintext bytes of every chunk but the last.
pub const CHUNK_LEN: usize = 16 * 1024;
/// Bytes of GCM's tag, which follows each chunk.
pub const TAG_LEN: usize = 16;
/// Bytes of a stored full chunk.
pub const SEALED_CHUNK_LEN: usize = CHUNK_LEN + TAG_LEN;
/// Bytes of the salt, which is random.
pub const SALT_LEN: usize = 24;
/// Bytes of the commitment to the key.
pub const COMMITMENT_LEN: usize = 32;
/// Bytes before the first chunk.
pub const HEADER_LEN: usize = SALT_LEN + COMMITMENT_LEN;
/// The chunks of a message, at most: 4 PiB.
pub const MAX_CHUNKS: u64 = 1 << 38;

/// Why a message is refused. Nothing says more: neither where a byte differs nor what was decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The system's source of randomness failed.
    #[error("the system gave no random bytes: try again")]
    NoRandomness,
    /// More than [`MAX_CHUNKS`].
    #[error("a message has at most 4 PiB: split it")]
    TooLong,
    /// A ciphertext cannot have this length, or ends before its last chunk.
    #[error("the ciphertext has a length that no message has: it was cut or extended")]
    Length,
    /// The key, the salt or the context is another than it was encrypted with.
    #[error("the ciphertext does not belong to this key and context")]
    Commitment,
    /// A chunk is not what was encrypted, or stands in another place.
    #[error("chunk {chunk} of the ciphertext does not authenticate")]
    Chunk {
        /// Its number, from 0.
        chunk: u64,
    },
    /// An earlier piece was refused.
    #[error("an earlier piece of this message was refused")]
    Poisoned,
}
