//! Stores what a scan shows of a product.

use mintmark_auth::Permit;
use mintmark_auth::action::PublishCodes;
use mintmark_db::transaction;
use mintmark_fault::Result;

use super::directory::Directory;
use crate::store::product::{self, NewProduct};

impl Directory {
    /// Idempotent by version; answers the version that stands now.
    ///
    /// # Errors
    /// `NOT_FOUND` when the id is another tenant's; `GTIN_FIXED`.
    pub async fn put_product(&self, permit: &Permit<PublishCodes>, new: &NewProduct) -> Result<i64> {
        let mut conn = self.pool.get().await?;
        transaction("put_product", &mut conn, async |conn| product::put(conn, permit, new).await).await
    }
}
