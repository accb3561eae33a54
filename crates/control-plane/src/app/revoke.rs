//! Recalling a whole batch, or codes of one.
//!
//! The directory is told first and our own rows follow, because the answer promises what scans will say. If the directory
//! is away the answer is 503 and the batch stands as before; if it is ours that fails afterwards, the same request
//! finishes the work, for every step may be repeated. That the directory is about to be told is in the audit before.

use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use mintmark_auth::policy::Permit;
use mintmark_auth::{Principal, action};
use mintmark_codes::{Code, CodeDigest};
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::BatchId;
use mintmark_rpc::client::Directory;
use mintmark_wire::directory::v1::{RevokeBatchRequest, RevokeCodesRequest};

use super::access;
use super::batches::{Tracked, track};
use crate::store::batches::{self, Batch, BatchState};
use crate::store::operations::{self, CodesRevoked};

/// Codes in one request: a page of a list, and far below the directory's 10,000.
pub const MAX_CODES: usize = 1_000;

/// Characters in the longest reason.
pub const MAX_REASON: usize = 500;

/// Recalls batches and codes.
#[derive(Clone)]
pub struct Revocations {
    pool: Pool,
    directory: Directory,
}

impl Revocations {
    /// Recalls are the directory's to make true, and the database's to remember.
    pub fn new(pool: Pool, directory: Directory) -> Self {
        Revocations { pool, directory }
    }

    /// Recalls a sealed batch for ever; one that is recalled already is answered as it stands. 409 `BATCH_NOT_SEALED`.
    pub async fn batch(&self, who: &Principal, id: BatchId, reason: &str) -> Result<Tracked> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_batch::<action::RevokeBatch>(&mut conn, who, id).await?;
        let reason = checked(reason)?;
        let batch = published(batches::find(&mut conn, &permit, id).await?)?;
        if batch.state == BatchState::Revoked {
            return track(&mut conn, batch).await;
        }
        announce(&mut conn, &permit, id, None).await?;
        drop(conn);
        let message = RevokeBatchRequest { batch_id: id.to_string() };
        let answer = self.directory.revoke_batch(permit.tenant(), message).await.map_err(unknown_there)?;
        let at = answer
            .revoked_at
            .and_then(|at| DateTime::<Utc>::from_timestamp(at.seconds, u32::try_from(at.nanos).ok()?))
            .ok_or_else(|| Fault::internal("the directory did not say when it recalled the batch"))?;
        let mut conn = self.pool.get().await?;
        let batch = transaction("batch.revoke", &mut conn, async |conn: &mut AsyncPgConnection| {
            operations::revoke(conn, &permit, id, at, reason).await?;
            batches::find(conn, &permit, id).await
        })
        .await?;
        track(&mut conn, batch).await
    }

    /// Recalls codes of a published batch for ever, those of them that are its own. The codes are hashed here and go no
    /// further. 400 `CODE_INVALID` names the place of one that cannot be a code.
    pub async fn codes(
        &self,
        who: &Principal,
        id: BatchId,
        codes: &[String],
        reason: &str,
    ) -> Result<CodesRevoked> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_batch::<action::RevokeBatch>(&mut conn, who, id).await?;
        let reason = checked(reason)?;
        let digests = digests(codes)?;
        published(batches::find(&mut conn, &permit, id).await?)?;
        announce(&mut conn, &permit, id, Some(digests.len())).await?;
        drop(conn);
        let message = RevokeCodesRequest {
            batch_id: id.to_string(),
            digests: digests.iter().flatten().copied().collect::<Bytes>(),
        };
        let answer = self.directory.revoke_codes(permit.tenant(), message).await.map_err(unknown_there)?;
        let counts = CodesRevoked {
            revoked: answer.revoked,
            already_revoked: answer.already_revoked,
            unmatched: answer.unmatched,
        };
        let mut conn = self.pool.get().await?;
        transaction("batch.revoke_codes", &mut conn, async |conn: &mut AsyncPgConnection| {
            operations::codes_revoked(conn, &permit, id, counts, reason).await
        })
        .await?;
        Ok(counts)
    }
}

async fn announce(
    conn: &mut AsyncPgConnection,
    permit: &Permit<action::RevokeBatch>,
    id: BatchId,
    codes: Option<usize>,
) -> Result<()> {
    transaction("batch.announce_revocation", conn, async |conn: &mut AsyncPgConnection| {
        operations::announce_revocation(conn, permit, id, codes).await
    })
    .await
}

/// Only what scans recognise can be recalled.
fn published(batch: Batch) -> Result<Batch> {
    match batch.state {
        BatchState::Sealed | BatchState::Revoked => Ok(batch),
        BatchState::Queued | BatchState::Minting => Err(Fault::conflict(
            "BATCH_NOT_SEALED",
            "the batch is not published yet: cancel it instead, and no code of it will ever be recognised",
        )),
        BatchState::Failed | BatchState::Cancelled => Err(Fault::conflict(
            "BATCH_NOT_SEALED",
            "the batch was never published: no code of it is recognised, and none needs to be recalled",
        )),
    }
}

/// Sealed here and not there: that is for an operator, not a sentence about a thing that does not exist.
fn unknown_there(fault: Fault) -> Fault {
    match (fault.kind(), fault.code()) {
        (Kind::NotFound, _) | (_, "PUBLICATION_CLOSED") => Fault::conflict(
            "PUBLICATION_UNKNOWN",
            "the directory does not recognise this batch, perhaps because it was restored from a backup: nothing was \
             recalled; ask the operator",
        )
        .caused_by(fault),
        _ => fault,
    }
}

fn checked(reason: &str) -> Result<&str> {
    let reason = reason.trim();
    if (1..=MAX_REASON).contains(&reason.chars().count()) {
        return Ok(reason);
    }
    Err(Fault::invalid(
        "REASON_REQUIRED",
        "reason",
        format!("reason is 1 to {MAX_REASON} characters of text"),
    ))
}

/// The digests of the codes, each once. No message repeats what was sent.
fn digests(codes: &[String]) -> Result<BTreeSet<[u8; 32]>> {
    if !(1..=MAX_CODES).contains(&codes.len()) {
        return Err(Fault::invalid(
            "CODES_OUT_OF_RANGE",
            "codes",
            format!("codes is a list of 1 to {MAX_CODES} codes: send more in several requests"),
        ));
    }
    let digest = |(at, text): (usize, &String)| match Code::parse(text) {
        Ok(code) => Ok(*CodeDigest::of(&code).as_bytes()),
        Err(error) => Err(Fault::invalid("CODE_INVALID", "codes", format!("codes[{at}]: {error}"))),
    };
    codes.iter().enumerate().map(digest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_of_what_the_code_is_not_of_how_it_is_written() {
        let texts = ["P5EFA11P6MBB22HP81V1", "p5ef-a1ip-6mbb-22hp-81vl"].map(str::to_owned);
        let found = digests(&texts).unwrap();
        let code = Code::parse(&texts[0]).unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [*CodeDigest::of(&code).as_bytes()]);
    }

    #[test]
    fn digests_refuse_what_is_no_code_without_repeating_it() {
        let texts = ["P5EFA11P6MBB22HP81V1", "P5EFA11P6MBB22HP81"].map(str::to_owned);
        let fault = digests(&texts).unwrap_err();
        assert_eq!((fault.code(), fault.field_name()), ("CODE_INVALID", Some("codes")));
        assert!(fault.message().starts_with("codes[1]: "), "{fault}");
        assert!(!fault.message().contains("P5EF"), "{fault}");
        assert_eq!(digests(&[]).unwrap_err().code(), "CODES_OUT_OF_RANGE");
        let many = vec![texts[0].clone(); MAX_CODES + 1];
        assert_eq!(digests(&many).unwrap_err().code(), "CODES_OUT_OF_RANGE");
        assert!(digests(&many[1..]).is_ok());
    }

    #[test]
    fn reason_has_both_bounds() {
        assert_eq!(checked(" faded ink ").unwrap(), "faded ink");
        assert!(checked(&"é".repeat(MAX_REASON)).is_ok());
        for bad in ["", "  ", &"x".repeat(MAX_REASON + 1)] {
            assert_eq!(checked(bad).unwrap_err().code(), "REASON_REQUIRED");
        }
    }
}
