//! Seals a publication, or gives it up.

use chrono::{DateTime, Utc};
use mintmark_auth::Permit;
use mintmark_auth::action::PublishCodes;
use mintmark_db::transaction;
use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::BatchId;

use super::directory::Directory;
use super::publication::{Publication, State, closed};
use crate::store::publication;

impl Directory {
    /// Makes a whole publication recognisable. Idempotent: sealed before answers the first time.
    ///
    /// # Errors
    /// `NOT_FOUND`, `STALE_FENCE`, `PUBLICATION_INCOMPLETE`, `PUBLICATION_CLOSED` (aborted or recalled).
    pub async fn seal_publication(
        &self,
        permit: &Permit<PublishCodes>,
        batch: BatchId,
        fence: i64,
    ) -> Result<DateTime<Utc>> {
        let mut conn = self.pool.get().await?;
        transaction("seal_publication", &mut conn, async |conn| {
            let held = publication::lock(conn, permit, batch).await?.ok_or_else(no_such)?;
            held.check_fence(fence)?;
            match held.state {
                State::Sealed(at) => return Ok(at),
                State::Aborted => return Err(closed("aborted")),
                State::Open if held.revoked_at.is_some() => return Err(closed("recalled")),
                State::Open => {}
            }
            let (chunks, units) = publication::ledger_sums(conn, &held).await?;
            require_whole(&held, chunks, units)?;
            publication::seal(conn, &held, fence).await
        })
        .await
    }

    /// Gives an open publication up for ever. Idempotent.
    ///
    /// # Errors
    /// `NOT_FOUND`, `STALE_FENCE`, `PUBLICATION_CLOSED` (sealed).
    pub async fn abort_publication(
        &self,
        permit: &Permit<PublishCodes>,
        batch: BatchId,
        fence: i64,
    ) -> Result<()> {
        let mut conn = self.pool.get().await?;
        transaction("abort_publication", &mut conn, async |conn| {
            let held = publication::lock(conn, permit, batch).await?.ok_or_else(no_such)?;
            held.check_fence(fence)?;
            match held.state {
                State::Open => publication::abort(conn, &held, fence).await,
                State::Aborted => Ok(()),
                State::Sealed(_) => Err(closed("sealed")),
            }
        })
        .await
    }
}

/// Every chunk, and every unit, counted twice: by the ledger's rows and by the publication's own sum.
fn require_whole(held: &Publication, chunks: i64, units: i64) -> Result<()> {
    if chunks == held.terms.chunks() && units == held.terms.units && held.units_published == units {
        return Ok(());
    }
    Err(Fault::new(
        Kind::Unprocessable,
        "PUBLICATION_INCOMPLETE",
        "chunks are missing: publish from nextChunk on, then seal",
    )
    .with("nextChunk", held.next_chunk)
    .with("unitsPublished", held.units_published)
    .with("units", held.terms.units))
}

fn no_such() -> Fault {
    Fault::not_found("publication")
}
