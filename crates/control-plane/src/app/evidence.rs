//! Evidence in disputes: this service knows which record belongs to which dispute, and asks the vault in the person's name.
//! What a role may do with a record the vault decides itself; what is refused here first is refused by the policy.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream;
use mintmark_auth::action::{HoldEvidence, ReadEvidenceContent, UploadEvidence, ViewEvidence};
use mintmark_auth::policy::{Action, Permit, Within};
use mintmark_auth::{DisputeClaim, DisputeState, Principal};
use mintmark_db::Pool;
use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::{DisputeId, EvidenceId};
use mintmark_rpc::client::{Content, EvidenceVault};
use mintmark_wire::evidence::v1 as wire;
use mintmark_wire::evidence::v1::upload_request::Piece;
use tokio::sync::mpsc;

use super::access;
use super::idempotency::Request;
use crate::store::disputes::{self, Dispute};

/// Bytes in the largest piece that the vault takes.
const PIECE: usize = 1 << 20;
/// Pieces on their way: enough to keep both sides busy, and all that an upload ever has in memory.
const UNDER_WAY: usize = 4;
/// How long the vault may take over its answer once it has everything.
const ANSWER: Duration = Duration::from_secs(60);

/// What people do with evidence.
#[derive(Clone)]
pub struct Evidence {
    pool: Pool,
    vault: EvidenceVault,
}

/// What is known of a record without decrypting it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its id.
    pub id: EvidenceId,
    /// The dispute that it belongs to.
    pub dispute: DisputeId,
    /// As it was uploaded.
    pub media_type: String,
    /// Length of the content.
    pub bytes: u64,
    /// Of the ciphertext; none once it is erased.
    pub ciphertext_sha256: Option<Vec<u8>>,
    /// `user:usr_…`.
    pub uploaded_by: String,
    /// When it was stored.
    pub created_at: Option<DateTime<Utc>>,
    /// When it becomes due for erasure.
    pub expires_at: Option<DateTime<Utc>>,
    /// Held records are not erased.
    pub legal_hold: bool,
    /// `stored`, `shredding` or `shredded`.
    pub state: &'static str,
    /// When its key was destroyed.
    pub shredded_at: Option<DateTime<Utc>>,
}

/// What is uploaded.
#[derive(Clone, Debug)]
pub struct Upload {
    /// As the sender says.
    pub media_type: String,
    /// Where it is known before.
    pub bytes: Option<u64>,
}

/// A record that was stored: now, or by the first request under the same key.
#[derive(Debug)]
pub struct Uploaded {
    /// The record.
    pub record: Record,
    /// Whether an earlier request stored it.
    pub replayed: bool,
}

/// Which bytes of a record are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// From an offset, so many or to the end.
    From(u64, Option<u64>),
    /// So many at the end.
    Last(u64),
}

/// One page of records.
#[derive(Debug)]
pub struct Records {
    /// Newest first.
    pub items: Vec<Record>,
    /// The vault's own cursor; none on the last page.
    pub next: Option<String>,
}

impl Evidence {
    /// Asks this vault.
    pub fn new(pool: Pool, vault: EvidenceVault) -> Self {
        Evidence { pool, vault }
    }

    /// Stores a record of a dispute that is open. `request` is the upload's key; `next` gives its pieces, and errs where the
    /// sender breaks off: then nothing is stored.
    ///
    /// # Errors
    /// 409 `DISPUTE_CLOSED`; 422 `IDEMPOTENCY_KEY_REUSED` where the key stored something of another type or length.
    pub async fn upload(
        &self,
        who: &Principal,
        of: DisputeId,
        request: impl FnOnce() -> Result<Request>,
        upload: Upload,
        next: impl AsyncFnMut() -> Result<Option<Bytes>>,
    ) -> Result<Uploaded> {
        let (permit, dispute, claimed) = {
            // Given back before the first byte: an upload may take hours.
            let mut conn = self.pool.get().await?;
            let permit: Permit<UploadEvidence> = access::to_own_tenant(&mut conn, who).await?;
            let dispute = disputes::find(&mut conn, &permit, of).await?;
            if dispute.state() == DisputeState::Closed {
                return Err(disputes::closed());
            }
            let key = request()?.key_sha256();
            let claimed = disputes::claim(&mut conn, &permit, of, &key).await?;
            (permit, dispute.claim(), claimed)
        };
        if claimed.repeated {
            match self.replay(&permit, dispute, claimed.id, &upload).await {
                // The first attempt came to nothing.
                Err(fault) if fault.kind() == Kind::NotFound => {}
                answered => return answered,
            }
        }
        match self.send(&permit, dispute, claimed.id, &upload, next).await {
            // Stored by an attempt whose answer was lost, or by another request with the key.
            Err(fault) if fault.code() == "EVIDENCE_EXISTS" => {
                self.replay(&permit, dispute, claimed.id, &upload).await
            }
            Err(fault) => Err(fault),
            Ok(record) => Ok(Uploaded { record, replayed: false }),
        }
    }

    async fn replay(
        &self,
        permit: &Permit<UploadEvidence>,
        dispute: DisputeClaim,
        id: EvidenceId,
        upload: &Upload,
    ) -> Result<Uploaded> {
        let record = self.metadata(permit, dispute, id).await?;
        let same =
            record.media_type == upload.media_type && upload.bytes.is_none_or(|bytes| bytes == record.bytes);
        if same {
            return Ok(Uploaded { record, replayed: true });
        }
        let sentence = "this Idempotency-Key stored another record before: use a fresh key for each upload";
        Err(Fault::new(Kind::Unprocessable, "IDEMPOTENCY_KEY_REUSED", sentence).field("Idempotency-Key"))
    }

    async fn send(
        &self,
        permit: &Permit<UploadEvidence>,
        dispute: DisputeClaim,
        id: EvidenceId,
        upload: &Upload,
        next: impl AsyncFnMut() -> Result<Option<Bytes>>,
    ) -> Result<Record> {
        let (pieces, mut taken) = mpsc::channel(UNDER_WAY);
        let stream = stream::poll_fn(move |context| taken.poll_recv(context));
        let storing = self.vault.upload(permit, dispute, stream);
        let header = wire::UploadHeader {
            evidence_id: id.to_string(),
            media_type: upload.media_type.clone(),
            bytes: upload.bytes,
        };
        let sending = forward(header, next, pieces);
        tokio::pin!(storing, sending);
        // Whoever ends first decides: a vault that refuses ends the sending, and a sender that breaks off never says the end.
        let stored = tokio::select! {
            stored = &mut storing => stored,
            sent = &mut sending => {
                sent?;
                tokio::time::timeout(ANSWER, storing).await.map_err(|_elapsed| {
                    let sentence = "the evidence vault did not answer in time: repeat the request with the same key";
                    Fault::unavailable("EVIDENCE_UNAVAILABLE", sentence).retry_after(Duration::from_secs(2))
                })?
            }
        }?;
        record(stored.evidence)
    }

    /// The records of a dispute, newest first; `after` is the vault's own cursor. USER sees their own.
    pub async fn list(
        &self,
        who: &Principal,
        of: DisputeId,
        limit: u32,
        after: Option<String>,
    ) -> Result<Records> {
        let (permit, dispute) = {
            let mut conn = self.pool.get().await?;
            let permit: Permit<ViewEvidence> = access::to_own_tenant(&mut conn, who).await?;
            let dispute = disputes::find(&mut conn, &permit, of).await?;
            (permit, dispute.claim())
        };
        let asked = wire::ListEvidenceRequest { page_size: limit, page_token: after.unwrap_or_default() };
        let page = self.vault.list_evidence(&permit, Some(dispute), asked).await?;
        let items = page.evidence.into_iter().map(|one| record(Some(one))).collect::<Result<_>>()?;
        Ok(Records { items, next: Some(page.next_page_token).filter(|token| !token.is_empty()) })
    }

    /// One record's metadata. USER sees what they uploaded.
    pub async fn find(&self, who: &Principal, id: EvidenceId) -> Result<Record> {
        let (permit, dispute) = self.reach::<ViewEvidence>(who, id).await?;
        self.metadata(&permit, dispute.claim(), id).await
    }

    /// The content, or a part of it.
    pub async fn content(&self, who: &Principal, id: EvidenceId, part: Part) -> Result<Content> {
        let (permit, dispute) = self.reach::<ReadEvidenceContent>(who, id).await?;
        let (offset, length) = match part {
            Part::Whole => (None, None),
            Part::From(offset, length) => (Some(offset), length),
            Part::Last(bytes) => {
                let whole = self.metadata(&permit, dispute.claim(), id).await?.bytes;
                (Some(whole.saturating_sub(bytes)), None)
            }
        };
        let asked = wire::ReadContentRequest { evidence_id: id.to_string(), offset, length };
        self.vault.read_content(&permit, dispute.claim(), asked).await
    }

    /// Sets or lifts the legal hold of a record.
    pub async fn hold(&self, who: &Principal, id: EvidenceId, legal_hold: bool) -> Result<Record> {
        let (permit, dispute) = self.reach::<HoldEvidence>(who, id).await?;
        let asked = wire::SetLegalHoldRequest { evidence_id: id.to_string(), legal_hold };
        record(self.vault.set_legal_hold(&permit, Some(dispute.claim()), asked).await?.evidence)
    }

    /// A permit, and the dispute of the record; 404 for a record that the tenant does not have.
    async fn reach<A: Action<On = mintmark_auth::OnTenant>>(
        &self,
        who: &Principal,
        id: EvidenceId,
    ) -> Result<(Permit<A>, Dispute)> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<A> = access::to_own_tenant(&mut conn, who).await?;
        let dispute = disputes::of_evidence(&mut conn, &permit, id).await?;
        Ok((permit, dispute))
    }

    async fn metadata<A: Action>(
        &self,
        permit: &Permit<A>,
        dispute: DisputeClaim,
        id: EvidenceId,
    ) -> Result<Record>
    where
        A::On: Within,
    {
        let asked = wire::GetEvidenceRequest { evidence_id: id.to_string() };
        record(self.vault.get_evidence(permit, Some(dispute), asked).await?.evidence)
    }
}

/// Header, pieces, end. A vault that takes no more has refused: its answer says why.
async fn forward(
    header: wire::UploadHeader,
    mut next: impl AsyncFnMut() -> Result<Option<Bytes>>,
    pieces: mpsc::Sender<wire::UploadRequest>,
) -> Result<()> {
    let send = async |piece| pieces.send(wire::UploadRequest { piece: Some(piece) }).await.is_ok();
    if !send(Piece::Header(header)).await {
        return Ok(());
    }
    let mut bytes = 0;
    while let Some(mut piece) = next().await? {
        bytes += piece.len() as u64;
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(PIECE));
            if !send(Piece::Data(part)).await {
                return Ok(());
            }
        }
    }
    send(Piece::End(wire::UploadEnd { bytes })).await;
    Ok(())
}

fn record(evidence: Option<wire::Evidence>) -> Result<Record> {
    let evidence = evidence.ok_or_else(|| Fault::internal("the vault answered without a record"))?;
    let foreign = |_| Fault::internal("the vault's record has an id that is none");
    let state = match evidence.state() {
        wire::EvidenceState::Stored => "stored",
        wire::EvidenceState::Shredding => "shredding",
        wire::EvidenceState::Shredded => "shredded",
        wire::EvidenceState::Unspecified => {
            return Err(Fault::internal("the vault's record has no state"));
        }
    };
    Ok(Record {
        id: evidence.evidence_id.parse().map_err(foreign)?,
        dispute: evidence.subject_id.parse().map_err(foreign)?,
        media_type: evidence.media_type,
        bytes: evidence.bytes,
        ciphertext_sha256: Some(evidence.ciphertext_sha256).filter(|hash| !hash.is_empty()),
        uploaded_by: evidence.uploaded_by,
        created_at: utc(evidence.created_at),
        expires_at: utc(evidence.expires_at),
        legal_hold: evidence.legal_hold,
        state,
        shredded_at: utc(evidence.shredded_at),
    })
}

/// A time on the wire; one that cannot be is none.
pub fn utc(at: Option<prost_types::Timestamp>) -> Option<DateTime<Utc>> {
    at.and_then(|at| DateTime::from_timestamp(at.seconds, u32::try_from(at.nanos).ok()?))
}
