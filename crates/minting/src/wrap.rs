use std::fmt;

use mintmark_ids::{BatchId, TenantId};
use ring::aead::{self, Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::secret::BatchSecret;

/// Keeps wrapped batch secrets apart from anything else under the same key; the version changes with the format.
const DOMAIN: &[u8] = b"mintmark:batch-secret:v1\0";

/// Bytes of a wrapped secret: nonce, ciphertext, tag.
const WRAPPED_LEN: usize = NONCE_LEN + BatchSecret::LEN + MAX_TAG_LEN;

/// The key that wraps batch secrets for the database. It lives outside Postgres and has an id, which stands beside each secret that
/// it wrapped, so that several can be known while one wraps.
///
/// It does not print, copy or compare. Nonces are random: GCM allows 2^32 of them under one key, which is as many
/// batches.
pub struct CodeMasterKey {
    id: String,
    key: LessSafeKey,
    /// Those that open what they wrapped, and wrap nothing: the one before this in a rotation, or the next.
    known: Vec<CodeMasterKey>,
}

/// A batch secret as the database holds it.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedSecret {
    /// The id of the master key that wrapped it.
    pub key_id: String,
    /// Nonce (12 bytes), ciphertext (32) and tag (16) of AES-256-GCM.
    pub bytes: Vec<u8>,
}

impl CodeMasterKey {
    /// Takes 32 random bytes as the key of this id, as configuration names it: `cmk-1`.
    #[expect(clippy::expect_used, reason = "32 bytes are what AES-256 takes")]
    pub fn new(key_id: String, key: [u8; 32]) -> Self {
        let key = Zeroizing::new(key);
        let unbound = UnboundKey::new(&aead::AES_256_GCM, key.as_slice()).expect("AES-256 takes 32 bytes");
        Self { id: key_id, key: LessSafeKey::new(unbound), known: Vec::new() }
    }

    /// The same, which also opens what `other` wrapped.
    #[must_use]
    pub fn knowing(mut self, other: CodeMasterKey) -> Self {
        self.known.push(other);
        self
    }

    /// The id under which new secrets are wrapped.
    pub fn key_id(&self) -> &str {
        &self.id
    }

    /// Encrypts a secret for one batch of one tenant. Each call gives other bytes.
    ///
    /// # Panics
    /// When the operating system has no randomness, which no Linux that has booted reports: nothing may go on then.
    #[expect(clippy::expect_used, reason = "a repeated nonce would reveal secrets; 32 bytes always fit GCM")]
    pub fn wrap(&self, secret: &BatchSecret, tenant: &TenantId, batch: BatchId) -> WrappedSecret {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).expect("the operating system gives random bytes");
        let mut sealed = Zeroizing::new(*secret.bytes());
        let aad = associated_data(tenant, batch, &self.id);
        let nonce_once = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce_once, Aad::from(aad), sealed.as_mut_slice())
            .expect("a secret is far below GCM's limit");
        let bytes = [nonce.as_slice(), sealed.as_slice(), tag.as_ref()].concat();
        WrappedSecret { key_id: self.id.clone(), bytes }
    }

    /// Decrypts the secret of one batch of one tenant.
    ///
    /// # Errors
    /// [`UnwrapError::Key`] when another master key wrapped it, [`UnwrapError::Refused`] when it is not the secret of
    /// this tenant and batch, or was altered.
    pub fn unwrap(
        &self,
        wrapped: &WrappedSecret,
        tenant: &TenantId,
        batch: BatchId,
    ) -> Result<BatchSecret, UnwrapError> {
        if wrapped.key_id != self.id {
            if let Some(other) = self.known.iter().find(|other| other.id == wrapped.key_id) {
                return other.unwrap(wrapped, tenant, batch);
            }
            return Err(UnwrapError::Key { wanted: wrapped.key_id.clone(), have: self.id.clone() });
        }
        if wrapped.bytes.len() != WRAPPED_LEN {
            return Err(UnwrapError::Refused);
        }
        let (nonce, sealed) = wrapped.bytes.split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| UnwrapError::Refused)?;
        let mut buffer = Zeroizing::new([0; WRAPPED_LEN - NONCE_LEN]);
        buffer.copy_from_slice(sealed);
        let aad = associated_data(tenant, batch, &self.id);
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(aad), buffer.as_mut_slice())
            .map_err(|_| UnwrapError::Refused)?;
        let mut secret = Zeroizing::new([0; BatchSecret::LEN]);
        secret.copy_from_slice(opened);
        Ok(BatchSecret::from_bytes(secret))
    }
}

/// `domain ‖ tenant ‖ 0 ‖ batch (16 bytes) ‖ key id`: unambiguous, as a slug holds no zero and a batch has one length.
fn associated_data(tenant: &TenantId, batch: BatchId, key_id: &str) -> Vec<u8> {
    [DOMAIN, tenant.as_str().as_bytes(), &[0], batch.as_uuid().as_bytes(), key_id.as_bytes()].concat()
}

/// Shows which key, nothing of what it wraps.
impl fmt::Debug for WrappedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappedSecret").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// Why a wrapped secret did not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnwrapError {
    /// Another master key wrapped it.
    #[error(
        "this batch's secret is wrapped under the code master key `{wanted}`, and `{have}` is configured: \
         give that key in CODE_MASTER_KEYS_KNOWN"
    )]
    Key {
        /// The id beside the wrapped secret.
        wanted: String,
        /// The id of the key that was asked.
        have: String,
    },
    /// It is not the secret of this tenant and batch under this key, or it was altered.
    #[error(
        "this batch's secret does not open under the configured code master key: the key has other bytes than when \
         the batch was made, or the row was altered or moved"
    )]
    Refused,
}

#[cfg(test)]
mod tests {
    use super::*;
    use mintmark_codes::Partition;

    const BATCH: &str = "bat_01h455vb4pex5vsknk084sn02q";

    fn master() -> CodeMasterKey {
        CodeMasterKey::new("cmk-1".to_owned(), [7; 32])
    }

    fn tenant() -> TenantId {
        TenantId::parse("acme").unwrap()
    }

    fn batch() -> BatchId {
        BATCH.parse().unwrap()
    }

    fn wrapped() -> WrappedSecret {
        let secret = BatchSecret::from_bytes(Zeroizing::new(std::array::from_fn(|index| index as u8)));
        master().wrap(&secret, &tenant(), batch())
    }

    #[test]
    fn unwrap_of_what_was_wrapped_derives_the_same_codes() {
        let partition = Partition::new(9).unwrap();
        let secret = BatchSecret::generate();
        let wrapped = master().wrap(&secret, &tenant(), batch());
        let again = master().unwrap(&wrapped, &tenant(), batch()).unwrap();
        assert!(secret.derive(partition, 42) == again.derive(partition, 42));
        assert_eq!(wrapped.key_id, "cmk-1");
        assert!(!wrapped.bytes.windows(8).any(|window| secret.bytes().windows(8).any(|part| part == window)));
    }

    #[test]
    fn wrap_of_one_secret_twice_gives_other_bytes() {
        assert_ne!(wrapped().bytes, wrapped().bytes);
    }

    // Made with Python's cryptography, nonce 0x0101…: a change makes every stored batch secret unreadable.
    #[test]
    fn unwrap_of_a_pinned_secret_opens() {
        let hex = concat!(
            "01010101010101010101010176e08bb494baea09d9ddd62a7c3a7e3eb8ea",
            "06e70c822d04402859797aa928a488b65ea556246256105d5b452aeb62e9"
        );
        let bytes =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let wrapped = WrappedSecret { key_id: "cmk-1".to_owned(), bytes };
        let secret = master().unwrap(&wrapped, &tenant(), batch()).unwrap();
        assert_eq!(secret.bytes(), &std::array::from_fn(|index| index as u8));
    }

    #[test]
    fn unwrap_for_another_tenant_or_batch_is_refused() {
        let other_tenant = TenantId::parse("acme2").unwrap();
        assert_eq!(master().unwrap(&wrapped(), &other_tenant, batch()).err(), Some(UnwrapError::Refused));
        assert_eq!(master().unwrap(&wrapped(), &tenant(), BatchId::new()).err(), Some(UnwrapError::Refused));
    }

    #[test]
    fn unwrap_under_another_key_is_refused() {
        let other_id = CodeMasterKey::new("cmk-2".to_owned(), [7; 32]);
        let error = other_id.unwrap(&wrapped(), &tenant(), batch()).err().unwrap();
        assert_eq!(error, UnwrapError::Key { wanted: "cmk-1".to_owned(), have: "cmk-2".to_owned() });
        assert!(error.to_string().contains("`cmk-1`"));

        // The same bytes under another id: the id is part of what is authenticated.
        let mut relabelled = wrapped();
        relabelled.key_id = "cmk-2".to_owned();
        assert_eq!(other_id.unwrap(&relabelled, &tenant(), batch()).err(), Some(UnwrapError::Refused));

        let other_bytes = CodeMasterKey::new("cmk-1".to_owned(), [8; 32]);
        assert_eq!(other_bytes.unwrap(&wrapped(), &tenant(), batch()).err(), Some(UnwrapError::Refused));
    }

    #[test]
    fn unwrap_under_a_known_key_opens_and_wrap_uses_the_present_one_alone() {
        let next = CodeMasterKey::new("cmk-2".to_owned(), [8; 32]).knowing(master());
        let secret = next.unwrap(&wrapped(), &tenant(), batch()).unwrap();
        assert_eq!(secret.bytes(), &std::array::from_fn(|index| index as u8));
        let again = next.wrap(&secret, &tenant(), batch());
        assert_eq!(again.key_id, "cmk-2");
        let wanted = UnwrapError::Key { wanted: "cmk-2".to_owned(), have: "cmk-1".to_owned() };
        assert_eq!(master().unwrap(&again, &tenant(), batch()).err(), Some(wanted));

        let imposter = CodeMasterKey::new("cmk-1".to_owned(), [9; 32]);
        let other = CodeMasterKey::new("cmk-2".to_owned(), [8; 32]).knowing(imposter);
        assert_eq!(other.unwrap(&wrapped(), &tenant(), batch()).err(), Some(UnwrapError::Refused));
    }

    #[test]
    fn unwrap_after_any_flipped_bit_or_cut_is_refused() {
        let good = wrapped();
        assert_eq!(good.bytes.len(), WRAPPED_LEN);
        for bit in 0..WRAPPED_LEN * 8 {
            let mut bad = good.clone();
            bad.bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                master().unwrap(&bad, &tenant(), batch()).err(),
                Some(UnwrapError::Refused),
                "bit {bit}"
            );
        }
        for length in [0, NONCE_LEN, WRAPPED_LEN - 1, WRAPPED_LEN + 1] {
            let mut bad = good.clone();
            bad.bytes.resize(length, 0);
            assert_eq!(
                master().unwrap(&bad, &tenant(), batch()).err(),
                Some(UnwrapError::Refused),
                "{length}"
            );
        }
    }

    #[test]
    fn debug_of_a_wrapped_secret_shows_the_key_id_alone() {
        assert_eq!(format!("{:?}", wrapped()), "WrappedSecret { key_id: \"cmk-1\", .. }");
    }
}
