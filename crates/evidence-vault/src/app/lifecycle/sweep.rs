//! What uploads left that never came to their end.

use chrono::Utc;
use mintmark_fault::{Fault, Result};
use mintmark_ids::TenantId;

use super::Lifecycle;
use crate::failpoint;
use crate::store::{reconciling, records};

impl Lifecycle {
    /// Erases what abandoned uploads of the tenant's left in the store. Gives back how many.
    ///
    /// # Errors
    /// 503.
    pub async fn sweep(&self, tenant: &TenantId) -> Result<usize> {
        let before = self.abandoned_before()?;
        let abandoned =
            reconciling::abandoned(&mut *self.conn().await?, tenant, before, self.batch()).await?;
        for upload in &abandoned {
            self.parts.blobs.erase(&upload.blob).await?;
            failpoint::hit("sweep.after_blob");
            records::forget_blob(&mut *self.conn().await?, upload.record, &upload.blob).await?;
        }
        Ok(abandoned.len())
    }

    /// Uploads that began earlier than this were given up.
    pub(super) fn abandoned_before(&self) -> Result<chrono::DateTime<Utc>> {
        Utc::now()
            .checked_sub_signed(
                chrono::TimeDelta::from_std(self.config.abandoned_after).map_err(Fault::internal)?,
            )
            .ok_or_else(|| Fault::internal("an upload's age lies beyond the calendar"))
    }
}
