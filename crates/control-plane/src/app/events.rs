//! The history of a batch.

use mintmark_auth::Principal;
use mintmark_db::Pool;
use mintmark_fault::Result;
use mintmark_ids::BatchId;

use super::access;
use crate::store::events::{self, Event};
use crate::store::page::{Slice, Window};

/// Reads histories.
#[derive(Clone)]
pub struct Events {
    pool: Pool,
}

impl Events {
    /// Works on the given database.
    pub fn new(pool: Pool) -> Self {
        Events { pool }
    }

    /// What happened to a batch, newest first.
    pub async fn list(&self, who: &Principal, batch: BatchId, window: Window) -> Result<Slice<Event>> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_batch(&mut conn, who, batch).await?;
        events::list(&mut conn, &permit, batch, window).await
    }
}
