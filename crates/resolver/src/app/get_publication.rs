//! Reads where a publication stands.

use mintmark_auth::Permit;
use mintmark_auth::action::ReadDirectory;
use mintmark_fault::Result;
use mintmark_ids::BatchId;

use super::directory::Directory;
use super::publication::Publication;
use crate::store::publication;

impl Directory {
    /// Reads it, without holding it.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub async fn get_publication(
        &self,
        permit: &Permit<ReadDirectory>,
        batch: BatchId,
    ) -> Result<Publication> {
        let mut conn = self.pool.get().await?;
        publication::find(&mut conn, permit.tenant(), batch).await
    }
}
