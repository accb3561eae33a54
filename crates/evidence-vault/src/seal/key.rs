//! The key of one message: what HKDF-Expand makes of the data-encryption key, the salt and the context.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, Tag, UnboundKey};
use ring::hkdf;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{COMMITMENT_LEN, HEADER_LEN, MAX_CHUNKS, SALT_LEN, SealError, TAG_LEN};
use crate::provider::{DEK_LEN, Dek};

const PREFIX: &[u8] = b"c2sp.org/chunked-encryption@v1+";
const AEAD: &[u8] = b"AEAD_AES_256_GCM\0";
const DERIVED_LEN: usize = DEK_LEN + NONCE_LEN + COMMITMENT_LEN;

/// Encrypts and decrypts the chunks of one message.
pub(super) struct MessageKey {
    aead: LessSafeKey,
    base_nonce: [u8; NONCE_LEN],
    commitment: [u8; COMMITMENT_LEN],
}

impl MessageKey {
    /// Derives the key of the message with this salt.
    pub(super) fn derive(dek: &Dek, salt: &[u8; SALT_LEN], context: &[u8]) -> Result<Self, SealError> {
        let derived = expand(dek, salt, context)?;
        let (key, rest) = derived.split_at(DEK_LEN);
        let (nonce, committed) = rest.split_at(NONCE_LEN);
        let mut base_nonce = [0; NONCE_LEN];
        base_nonce.copy_from_slice(nonce);
        let mut commitment = [0; COMMITMENT_LEN];
        commitment.copy_from_slice(committed);
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| SealError::Commitment)?;
        Ok(MessageKey { aead: LessSafeKey::new(key), base_nonce, commitment })
    }

    /// The key of a stored message: its header must hold the commitment to exactly this key, salt and context.
    pub(super) fn of_header(dek: &Dek, context: &[u8], header: &[u8; HEADER_LEN]) -> Result<Self, SealError> {
        let (salt, commitment) = header.split_at(SALT_LEN);
        let mut fixed = [0; SALT_LEN];
        fixed.copy_from_slice(salt);
        let key = Self::derive(dek, &fixed, context)?;
        if bool::from(key.commitment.ct_eq(commitment)) { Ok(key) } else { Err(SealError::Commitment) }
    }

    /// What follows the salt in the header.
    pub(super) const fn commitment(&self) -> &[u8; COMMITMENT_LEN] {
        &self.commitment
    }

    /// Encrypts a chunk in place and gives its tag.
    pub(super) fn seal(&self, chunk: u64, plaintext: &mut [u8]) -> Result<[u8; TAG_LEN], SealError> {
        let nonce = self.nonce(chunk)?;
        let sealed = self.aead.seal_in_place_separate_tag(nonce, Aad::empty(), plaintext);
        let mut bytes = [0; TAG_LEN];
        bytes.copy_from_slice(sealed.map_err(|_| SealError::Chunk { chunk })?.as_ref());
        Ok(bytes)
    }

    /// Decrypts a chunk, with its tag at the end, in place. What does not authenticate is wiped.
    pub(super) fn open(&self, chunk: u64, sealed: &mut [u8]) -> Result<usize, SealError> {
        let split = sealed.len().checked_sub(TAG_LEN).ok_or(SealError::Length)?;
        let (text, tag) = sealed.split_at_mut(split);
        let tag = Tag::try_from(&*tag).map_err(|_| SealError::Length)?;
        let opened = self.aead.open_in_place_separate_tag(self.nonce(chunk)?, Aad::empty(), tag, text, 0..);
        if opened.is_ok() {
            return Ok(split);
        }
        text.fill(0);
        Err(SealError::Chunk { chunk })
    }

    /// The base nonce XOR the chunk's number, big-endian: unique under this key, which is this message's alone.
    fn nonce(&self, chunk: u64) -> Result<Nonce, SealError> {
        if chunk >= MAX_CHUNKS {
            return Err(SealError::TooLong);
        }
        let mut nonce = self.base_nonce;
        for (byte, number) in nonce.iter_mut().skip(NONCE_LEN - 8).zip(chunk.to_be_bytes()) {
            *byte ^= number;
        }
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

/// Key, base nonce and commitment, one after the other.
pub(super) fn expand(
    dek: &Dek,
    salt: &[u8; SALT_LEN],
    context: &[u8],
) -> Result<Zeroizing<[u8; DERIVED_LEN]>, SealError> {
    struct Derived;
    impl hkdf::KeyType for Derived {
        fn len(&self) -> usize {
            DERIVED_LEN
        }
    }
    let mut derived = Zeroizing::new([0; DERIVED_LEN]);
    let info = [PREFIX, AEAD, salt, context];
    hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, dek.expose())
        .expand(&info, Derived)
        .and_then(|key| key.fill(derived.as_mut_slice()))
        // Only a length above 255 hashes fails, and ours is a constant.
        .map_err(|_| SealError::Commitment)?;
    Ok(derived)
}
