//! What proves that a record was erased.

use mintmark_fault::{Fault, Result};
use mintmark_ids::EvidenceId;

use super::access::{Caller, Operation};
use super::evidence::Evidence;
use super::record::State;
use crate::provider::Assurance;
use crate::store::records::{self, Lock};
use crate::store::{keks, proofs};

/// What proves an erasure.
#[derive(Clone, Debug)]
pub struct ErasureProof {
    /// Made when it was erased.
    pub proof: String,
    /// Added by recovery runs, oldest first.
    pub recovery: Vec<String>,
    /// Of the destruction of each key that ever wrapped the record's, as far as they are destroyed.
    pub certificates: Vec<String>,
    /// What the provider can claim.
    pub assurance: Assurance,
    /// Whether all of those keys are destroyed.
    pub keys_destroyed: bool,
}

impl Evidence {
    /// The proof of a record's erasure.
    ///
    /// # Errors
    /// 403; 404; 409 `ERASURE_PENDING` with `state`, `EVIDENCE_HELD`, `EVIDENCE_NOT_ERASED`.
    pub async fn erasure_proof(&self, who: &Caller, id: EvidenceId) -> Result<ErasureProof> {
        let reach = self.allowed(who, Operation::Proof, ("evidence", id.to_string())).await?;
        let mut conn = self.conn().await?;
        let record = records::find(&mut conn, &who.tenant, id, Lock::No).await?;
        self.covered(who, Operation::Proof, reach, &record).await?;
        match record.state {
            State::Uploading | State::Stored if record.legal_hold => {
                let sentence = "the record is held: it is not erased before its hold is lifted";
                return Err(Fault::conflict("EVIDENCE_HELD", sentence));
            }
            State::Uploading | State::Stored => {
                let sentence =
                    "the record is not erased: its retention has not ended, or the next run erases it";
                return Err(Fault::conflict("EVIDENCE_NOT_ERASED", sentence));
            }
            State::Shredding => return Err(pending()),
            State::Shredded => {}
        }
        let (first, further): (Vec<_>, Vec<_>) =
            proofs::of(&mut conn, id).await?.into_iter().partition(|proof| proof.erasure);
        let keks = keks::that_wrapped(&mut conn, id).await?;
        Ok(ErasureProof {
            // It is stored before the record is called erased.
            proof: first.into_iter().next().map(|proof| proof.jwt).ok_or_else(pending)?,
            recovery: further.into_iter().map(|proof| proof.jwt).collect(),
            keys_destroyed: keks.iter().all(|kek| kek.destroyed_at.is_some()),
            certificates: keks.into_iter().filter_map(|kek| kek.certificate).collect(),
            assurance: self.provider.assurance(),
        })
    }
}

fn pending() -> Fault {
    let sentence = "the erasure has begun and is not done: ask again in a moment";
    Fault::conflict("ERASURE_PENDING", sentence).with("state", State::Shredding.as_str())
}
