//! Encrypting.

use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::key::MessageKey;
use super::{CHUNK_LEN, HEADER_LEN, SALT_LEN, SEALED_CHUNK_LEN, SealError, TAG_LEN};
use crate::provider::Dek;

/// Which SHA-256 are computed on the way, while the bytes are in the processor's cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digests {
    /// Of what was given.
    pub plaintext: bool,
    /// Of what was written, header included.
    pub ciphertext: bool,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Length of the plaintext.
    pub plaintext_len: u64,
    /// Length of the ciphertext, header included.
    pub ciphertext_len: u64,
    /// Where it was asked for.
    pub plaintext_sha256: Option<[u8; SHA256_OUTPUT_LEN]>,
    /// Where it was asked for.
    pub ciphertext_sha256: Option<[u8; SHA256_OUTPUT_LEN]>,
}

/// Encrypts a message that comes in pieces of any size, in constant memory: at most one unfinished chunk is kept.
///
/// Ciphertext is appended to buffers of the caller's, who takes it away as he likes. Pieces that hold whole chunks are
/// copied once, into that buffer, and encrypted there.
pub struct Sealer {
    key: MessageKey,
    chunk: u64,
    plaintext_len: u64,
    ciphertext_len: u64,
    /// The chunk that is not full yet.
    rest: Zeroizing<Vec<u8>>,
    plaintext: Option<Context>,
    ciphertext: Option<Context>,
}

impl Sealer {
    /// Begins a message with a fresh random salt and writes its header.
    pub fn new(dek: &Dek, context: &[u8], digests: Digests, out: &mut Vec<u8>) -> Result<Self, SealError> {
        let mut salt = [0; SALT_LEN];
        SystemRandom::new().fill(&mut salt).map_err(|_| SealError::NoRandomness)?;
        Self::with_salt(dek, context, digests, &salt, out)
    }

    /// Begins a message with this salt, which must never come again under this key.
    pub(super) fn with_salt(
        dek: &Dek,
        context: &[u8],
        digests: Digests,
        salt: &[u8; SALT_LEN],
        out: &mut Vec<u8>,
    ) -> Result<Self, SealError> {
        let key = MessageKey::derive(dek, salt, context)?;
        let digest = |wanted: bool| wanted.then(|| Context::new(&SHA256));
        let mut sealer = Sealer {
            key,
            chunk: 0,
            plaintext_len: 0,
            ciphertext_len: HEADER_LEN as u64,
            rest: Zeroizing::new(Vec::with_capacity(CHUNK_LEN)),
            plaintext: digest(digests.plaintext),
            ciphertext: digest(digests.ciphertext),
        };
        out.extend_from_slice(salt);
        out.extend_from_slice(sealer.key.commitment());
        if let Some(digest) = &mut sealer.ciphertext {
            digest.update(salt);
            digest.update(sealer.key.commitment());
        }
        Ok(sealer)
    }

    /// Takes the next piece, and appends every chunk that it fills to `out`.
    pub fn push(&mut self, mut piece: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        out.reserve(piece.len() + TAG_LEN * (piece.len() / CHUNK_LEN + 1) + CHUNK_LEN);
        if !self.rest.is_empty() {
            let (head, tail) = piece.split_at(piece.len().min(CHUNK_LEN - self.rest.len()));
            self.rest.extend_from_slice(head);
            piece = tail;
            if self.rest.len() < CHUNK_LEN {
                return Ok(());
            }
            self.flush(out)?;
        }
        let mut chunks = piece.chunks_exact(CHUNK_LEN);
        for chunk in &mut chunks {
            self.write(chunk, out)?;
        }
        self.rest.extend_from_slice(chunks.remainder());
        Ok(())
    }

    /// Encrypts full chunks where they lie: each 16 KiB of plaintext in `slots` is followed by 16 bytes of room for its tag.
    ///
    /// # Errors
    /// [`SealError::Length`] for anything but whole slots, and while [`Sealer::push`] keeps an unfinished chunk.
    pub fn seal_in_place(&mut self, slots: &mut [u8]) -> Result<(), SealError> {
        if !self.rest.is_empty() || !slots.len().is_multiple_of(SEALED_CHUNK_LEN) {
            return Err(SealError::Length);
        }
        slots.chunks_exact_mut(SEALED_CHUNK_LEN).try_for_each(|slot| self.seal_slot(slot))
    }

    /// Writes the last chunk, which is short and may be empty.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<Sealed, SealError> {
        self.flush(out)?;
        let value = |digest: Option<Context>| {
            digest.map(|digest| {
                let mut bytes = [0; SHA256_OUTPUT_LEN];
                bytes.copy_from_slice(digest.finish().as_ref());
                bytes
            })
        };
        Ok(Sealed {
            plaintext_len: self.plaintext_len,
            ciphertext_len: self.ciphertext_len,
            plaintext_sha256: value(self.plaintext),
            ciphertext_sha256: value(self.ciphertext),
        })
    }

    /// Plaintext so far.
    pub fn plaintext_len(&self) -> u64 {
        self.plaintext_len + self.rest.len() as u64
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), SealError> {
        let mut rest = std::mem::take(&mut self.rest);
        self.write(&rest, out)?;
        rest.fill(0);
        rest.clear();
        self.rest = rest;
        Ok(())
    }

    /// Copies a chunk to where it goes and encrypts it there.
    fn write(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let begin = out.len();
        out.extend_from_slice(plaintext);
        out.extend_from_slice(&[0; TAG_LEN]);
        let sealed = match out.get_mut(begin..) {
            Some(slot) => self.seal_slot(slot),
            None => Err(SealError::Length),
        };
        if sealed.is_err() {
            // What was not encrypted is not ciphertext.
            out.truncate(begin);
        }
        sealed
    }

    /// Encrypts a chunk where it lies; its tag goes into the room behind it.
    fn seal_slot(&mut self, slot: &mut [u8]) -> Result<(), SealError> {
        let length = slot.len().checked_sub(TAG_LEN).ok_or(SealError::Length)?;
        let (text, room) = slot.split_at_mut(length);
        if let Some(digest) = &mut self.plaintext {
            digest.update(text);
        }
        match self.key.seal(self.chunk, text) {
            Ok(tag) => room.copy_from_slice(&tag),
            Err(error) => {
                text.fill(0);
                return Err(error);
            }
        }
        if let Some(digest) = &mut self.ciphertext {
            digest.update(slot);
        }
        self.chunk += 1;
        self.plaintext_len += length as u64;
        self.ciphertext_len += slot.len() as u64;
        Ok(())
    }
}

/// Encrypts a short message whole.
pub fn seal(dek: &Dek, context: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut out = Vec::new();
    let mut sealer = Sealer::new(dek, context, Digests::default(), &mut out)?;
    sealer.push(plaintext, &mut out)?;
    sealer.finish(&mut out)?;
    Ok(out)
}
