//! Deriving the codes of a batch, chunk by chunk, as the digests that the directory takes.

use bytes::{Bytes, BytesMut};
use mintmark_codes::{CodeDigest, Partition};
use mintmark_ids::BatchId;
use mintmark_minting::BatchSecret;

/// Bytes of one digest on the wire.
const DIGEST_BYTES: usize = 32;

/// Everything that determines the digests of a batch: the same plan gives the same bytes on every machine.
pub struct MintPlan {
    /// The batch.
    pub batch_id: BatchId,
    /// The directory partition that the codes name.
    pub partition: Partition,
    /// What the codes are derived from.
    pub secret: BatchSecret,
    /// The first serial.
    pub first_serial: u64,
    /// How many units.
    pub units: u64,
    /// Units in each chunk but perhaps the last; at least 1.
    pub chunk_units: u32,
}

impl MintPlan {
    /// How many chunks the batch has.
    pub fn chunks(&self) -> u32 {
        u32::try_from(self.units.div_ceil(self.stride())).unwrap_or(u32::MAX)
    }

    /// Units in the chunks before `chunk`: what is done once they are acknowledged.
    pub fn units_before(&self, chunk: u32) -> u64 {
        (u64::from(chunk) * self.stride()).min(self.units)
    }

    /// The digests of one chunk, in serial order, end to end in one buffer.
    ///
    /// Takes about 1.5 µs a unit: call it on a background thread.
    pub fn digests(&self, chunk: u32) -> Bytes {
        let (start, end) = (self.units_before(chunk), self.units_before(chunk.saturating_add(1)));
        let deriver = self.secret.deriver(self.partition);
        let mut digests = BytesMut::with_capacity((end - start) as usize * DIGEST_BYTES);
        for offset in start..end {
            let code = deriver.derive(self.first_serial + offset);
            digests.extend_from_slice(CodeDigest::of(&code).as_bytes());
        }
        digests.freeze()
    }

    fn stride(&self) -> u64 {
        u64::from(self.chunk_units.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(units: u64, chunk_units: u32) -> MintPlan {
        MintPlan {
            batch_id: BatchId::new(),
            partition: Partition::new(7).unwrap(),
            secret: BatchSecret::generate(),
            first_serial: 101,
            units,
            chunk_units,
        }
    }

    #[test]
    fn chunks_cover_every_unit_once() {
        for (units, chunk_units, chunks) in [(1, 50, 1), (50, 50, 1), (51, 50, 2), (1_000, 1, 1_000)] {
            let plan = plan(units, chunk_units);
            assert_eq!(plan.chunks(), chunks);
            assert_eq!(plan.units_before(0), 0);
            assert_eq!(plan.units_before(chunks), units);
            let bytes: usize = (0..chunks).map(|chunk| plan.digests(chunk).len()).sum();
            assert_eq!(bytes, units as usize * DIGEST_BYTES);
        }
    }

    #[test]
    fn digests_do_not_depend_on_how_the_batch_is_cut() {
        let mut plan = plan(97, 10);
        let in_tens: Vec<u8> = (0..plan.chunks()).flat_map(|chunk| plan.digests(chunk)).collect();
        plan.chunk_units = 97;
        assert_eq!(plan.digests(0), in_tens);
    }

    #[test]
    fn digests_are_those_of_the_codes_of_their_serials() {
        let plan = plan(3, 2);
        let code = plan.secret.derive(plan.partition, 103);
        assert_eq!(plan.digests(1).as_ref(), CodeDigest::of(&code).as_bytes().as_slice());
    }
}
