//! Recalls a batch, or codes of one, for ever.
//!
//! Both take the publication's row first, as chunks and seals do, so that a recall and a seal come one after the other:
//! whichever is second sees the first. The caller hears of it when it is committed; scans follow by the change counter.

use chrono::{DateTime, Utc};
use mintmark_auth::Permit;
use mintmark_auth::action::RevokeCodes;
use mintmark_codes::{CodeDigest, StoredHash};
use mintmark_db::transaction;
use mintmark_fault::{Fault, Result};
use mintmark_ids::BatchId;

use super::directory::Directory;
use super::publication::{Publication, State, closed};
use crate::store::{publication, revocation};

/// What became of codes to recall; the numbers add up to how many there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecalledCodes {
    /// Recalled now.
    pub revoked: u32,
    /// Recalled before.
    pub already_revoked: u32,
    /// Not codes of the batch, as far as it is published.
    pub unmatched: u32,
}

impl Directory {
    /// Recalls a batch, sealed or open; an open one can then never be sealed. Idempotent: the first time stands.
    ///
    /// # Errors
    /// `NOT_FOUND`, `PUBLICATION_CLOSED` (aborted).
    pub async fn revoke_batch(&self, permit: &Permit<RevokeCodes>, batch: BatchId) -> Result<DateTime<Utc>> {
        let mut conn = self.pool.get().await?;
        transaction("revoke_batch", &mut conn, async |conn| {
            let held = recallable(publication::lock(conn, permit, batch).await?)?;
            match held.revoked_at {
                Some(at) => Ok(at),
                None => revocation::revoke_batch(conn, permit, &held).await,
            }
        })
        .await
    }

    /// Recalls codes of a batch by their digests, all together or none. Idempotent.
    ///
    /// # Errors
    /// `NOT_FOUND`, `PUBLICATION_CLOSED` (aborted).
    pub async fn revoke_codes(
        &self,
        permit: &Permit<RevokeCodes>,
        batch: BatchId,
        digests: Vec<CodeDigest>,
    ) -> Result<RecalledCodes> {
        let mut conn = self.pool.get().await?;
        let publication = recallable(Some(publication::find(&mut conn, permit.tenant(), batch).await?))?;
        let pepper = self.pepper_of(&mut conn, publication.partition).await?;
        // Some milliseconds of hashing, away from the threads that answer.
        let hash = move || digests.iter().map(|digest| pepper.hash(digest)).collect();
        let hashes: Vec<StoredHash> = tokio::task::spawn_blocking(hash).await.map_err(Fault::internal)?;
        transaction("revoke_codes", &mut conn, async |conn| {
            let held = recallable(publication::lock(conn, permit, batch).await?)?;
            revocation::revoke_codes(conn, permit, &held, &hashes).await
        })
        .await
    }
}

/// What was given up was never recognised, and needs no recall.
fn recallable(publication: Option<Publication>) -> Result<Publication> {
    match publication {
        None => Err(Fault::not_found("publication")),
        Some(Publication { state: State::Aborted, .. }) => Err(closed("aborted")),
        Some(publication) => Ok(publication),
    }
}
