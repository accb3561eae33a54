use mintmark_codes::{Code, Partition};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// Keeps the codes of units apart from whatever else a batch secret may derive one day.
const UNIT_DOMAIN: &[u8; 4] = b"unit";

/// The 32 bytes from which the codes of one batch are derived.
///
/// It is wiped when dropped, and cannot be printed, cloned or compared. At rest it exists only as a
/// [`WrappedSecret`](crate::WrappedSecret).
pub struct BatchSecret(Zeroizing<[u8; BatchSecret::LEN]>);

impl BatchSecret {
    /// Bytes of a secret.
    pub const LEN: usize = 32;

    /// A fresh random secret.
    ///
    /// # Panics
    /// When the operating system has no randomness, which no Linux that has booted reports: nothing may go on then.
    #[expect(clippy::expect_used, reason = "without randomness there is no secret to go on with")]
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; Self::LEN]);
        SystemRandom::new().fill(bytes.as_mut_slice()).expect("the operating system gives random bytes");
        Self(bytes)
    }

    pub(crate) fn from_bytes(bytes: Zeroizing<[u8; Self::LEN]>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The code of one unit. For more than a few, use a [`deriver`](Self::deriver).
    pub fn derive(&self, partition: Partition, serial: u64) -> Code {
        self.deriver(partition).derive(serial)
    }

    /// Keys the derivation once, for the units of a batch.
    pub fn deriver(&self, partition: Partition) -> Deriver {
        Deriver { key: hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice()), partition }
    }
}

/// Derives codes of one batch in one partition: two SHA-256 compressions and no allocation for each.
///
/// Its keyed state is as secret as the secret and is not wiped when dropped (ring offers no way), so it should live
/// no longer than the chunk of work that it serves.
pub struct Deriver {
    key: hmac::Key,
    partition: Partition,
}

impl Deriver {
    /// The code of a unit: the partition, and the first 90 bits of `HMAC-SHA256(secret, "unit" ‖ serial)`, the serial
    /// number as eight bytes, most significant first.
    pub fn derive(&self, serial: u64) -> Code {
        let mut input = [0; UNIT_DOMAIN.len() + size_of::<u64>()];
        input[..UNIT_DOMAIN.len()].copy_from_slice(UNIT_DOMAIN);
        input[UNIT_DOMAIN.len()..].copy_from_slice(&serial.to_be_bytes());
        let tag = hmac::sign(&self.key, &input);
        let mut first = [0; size_of::<u128>()];
        first.copy_from_slice(&tag.as_ref()[..size_of::<u128>()]);
        Code::from_parts(self.partition, u128::from_be_bytes(first) >> (u128::BITS - Code::RANDOM_BITS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mintmark_codes::CodeDigest;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn counting_secret() -> BatchSecret {
        BatchSecret::from_bytes(Zeroizing::new(std::array::from_fn(|index| index as u8)))
    }

    fn partition(number: u16) -> Partition {
        Partition::new(number).unwrap()
    }

    // Computed with another implementation (Python's hmac). A change to one of these makes a re-export of any batch
    // print codes that the directory does not know.
    #[test]
    fn derive_under_a_known_secret_is_pinned() {
        let secret = counting_secret();
        for (serial, code) in [
            (0, "P5EFA11P6MBB22HP81V1"),
            (1, "P5F7WB47Y6M6EWSWRQZA"),
            (2, "P5JB24B20743WMV8EQZT"),
            (1_000_000_000_000, "P51455FZVPCMWBDEP82M"),
            (u64::MAX, "P5KK4KDY45WSKCDF8JNC"),
        ] {
            assert_eq!(secret.derive(partition(709), serial).as_str(), code, "serial {serial}");
        }
    }

    #[test]
    fn derive_of_many_serials_gives_distinct_codes_of_the_partition() {
        const UNITS: u64 = 200_000;
        let deriver = BatchSecret::generate().deriver(partition(3));
        let codes: HashSet<_> = (1..=UNITS).map(|serial| deriver.derive(serial)).collect();
        assert_eq!(codes.len() as u64, UNITS);
        assert!(codes.iter().all(|code| code.partition() == partition(3)));
        let digests: HashSet<_> = codes.iter().map(CodeDigest::of).collect();
        assert_eq!(digests.len() as u64, UNITS);
    }

    #[test]
    fn derive_uses_every_character_at_every_place() {
        let deriver = BatchSecret::generate().deriver(partition(0));
        let mut seen = [[false; 128]; Code::LEN];
        // A character stays away from a place in 4,000 draws with odds of (31/32)^4000, below 10^-55.
        for serial in 0..4_000 {
            for (place, character) in deriver.derive(serial).as_str().bytes().enumerate() {
                seen[place][usize::from(character)] = true;
            }
        }
        for place in &seen[2..] {
            assert_eq!(place.iter().filter(|&&seen| seen).count(), 32);
        }
    }

    #[test]
    fn generated_secrets_differ() {
        let (a, b) = (BatchSecret::generate(), BatchSecret::generate());
        assert_ne!(a.bytes(), b.bytes());
        assert!(a.derive(partition(0), 1) != b.derive(partition(0), 1));
    }

    proptest! {
        #[test]
        fn derive_keeps_the_random_part_in_every_partition(serial: u64, a in 0u16..1024, b in 0u16..1024) {
            let secret = counting_secret();
            let (in_a, in_b) = (secret.derive(partition(a), serial), secret.derive(partition(b), serial));
            prop_assert_eq!(in_a.partition(), partition(a));
            prop_assert_eq!(&in_a.as_str()[2..], &in_b.as_str()[2..]);
        }
    }
}
