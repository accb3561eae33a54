//! Destroying the secret of a batch: nobody can derive its codes again, and scans go on as before.
//!
//! What goes is the only copy that the service can reach. Older row versions, write-ahead log and backups still have the
//! wrapped bytes, which are worth nothing without the code master key that wrapped them: retire that key too.

use diesel_async::AsyncPgConnection;
use mintmark_auth::{Principal, action};
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Result};
use mintmark_ids::BatchId;

use super::access;
use super::batches::{Tracked, track};
use crate::store::{batches, operations};

/// Destroys secrets.
#[derive(Clone)]
pub struct Secrets {
    pool: Pool,
}

impl Secrets {
    /// Works on the given database.
    pub fn new(pool: Pool) -> Self {
        Secrets { pool }
    }

    /// Destroys the secret of a batch that is closed; `confirm` is the batch's id once more. A second time changes nothing.
    pub async fn destroy(&self, who: &Principal, id: BatchId, confirm: &str) -> Result<Tracked> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_batch::<action::DestroyBatchSecret>(&mut conn, who, id).await?;
        if confirm != id.to_string() {
            return Err(Fault::invalid(
                "CONFIRMATION_REQUIRED",
                "confirm",
                "this cannot be undone: repeat the id of the batch in confirm",
            ));
        }
        let batch = transaction("batch.destroy_secret", &mut conn, async |conn: &mut AsyncPgConnection| {
            operations::destroy_secret(conn, &permit, id).await?;
            batches::find(conn, &permit, id).await
        })
        .await?;
        track(&mut conn, batch).await
    }
}
