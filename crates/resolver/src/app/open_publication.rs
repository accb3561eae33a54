//! Opens a batch's publication, or takes an open one over.

use mintmark_auth::Permit;
use mintmark_auth::action::PublishCodes;
use mintmark_db::transaction;
use mintmark_fault::{Fault, Result};

use super::directory::Directory;
use super::publication::{Publication, State, Terms};
use crate::store::publication::{self, SERIALS_OVERLAP};

impl Directory {
    /// Opens, or answers what is open; a higher fence takes over. Room for all units is reserved at once.
    ///
    /// # Errors
    /// `STALE_FENCE`, `PUBLICATION_DIFFERS`; `SERIALS_OVERLAP`, which names the first serial that is free; `NOT_FOUND` for
    /// a product or batch of another tenant.
    pub async fn open_publication(
        &self,
        permit: &Permit<PublishCodes>,
        terms: &Terms,
        fence: i64,
    ) -> Result<Publication> {
        let mut conn = self.pool.get().await?;
        let pepper = self.peppers.newest();
        let opened = transaction("open_publication", &mut conn, async |conn| {
            publication::serialize_opening(conn, terms.batch).await?;
            match publication::lock(conn, permit, terms.batch).await? {
                Some(known) => {
                    if known.terms != *terms {
                        return Err(differs());
                    }
                    known.check_fence(fence)?;
                    if known.state == State::Open && fence > known.fence {
                        publication::raise_fence(conn, &known, fence).await?;
                    }
                    Ok(known)
                }
                None => {
                    let partition = publication::reserve(conn, pepper, terms.units).await?;
                    publication::insert(conn, permit, terms, fence, partition).await?;
                    publication::find(conn, permit.tenant(), terms.batch).await
                }
            }
        })
        .await;
        match opened {
            // The refused transaction is gone; what it met is committed, and nothing of it ever goes away.
            Err(fault) if fault.code() == SERIALS_OVERLAP => {
                let next = publication::next_serial(&mut conn, permit, terms.product).await?;
                Err(fault.with("nextSerial", next))
            }
            opened => opened,
        }
    }
}

fn differs() -> Fault {
    Fault::conflict(
        "PUBLICATION_DIFFERS",
        "this batch was opened with another product, mode, range of serials or chunk size; open it with the same",
    )
}
