//! The units of a batch, with their codes masked: derived on the fly, because no code is stored.

use std::sync::Arc;

use mintmark_auth::Principal;
use mintmark_db::Pool;
use mintmark_fault::{Fault, Result};
use mintmark_ids::BatchId;
use mintmark_minting::CodeMasterKey;

use super::access;
use crate::store::batches;

/// Lists units.
#[derive(Clone)]
pub struct Tokens {
    pool: Pool,
    master_key: Arc<CodeMasterKey>,
}

/// One unit.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its serial number.
    pub serial: u64,
    /// Its code, all but the first two and last four characters hidden.
    pub masked_code: String,
}

/// A part of the list of a batch's units, by serial from the first on.
#[derive(Clone, Debug)]
pub struct TokenSlice {
    /// The units.
    pub items: Vec<Token>,
    /// The serial to continue after; none on the last page.
    pub next: Option<u64>,
}

impl Tokens {
    /// Unwraps secrets with `master_key`.
    pub fn new(pool: Pool, master_key: Arc<CodeMasterKey>) -> Self {
        Tokens { pool, master_key }
    }

    /// At most `limit` units after the serial `after`. Empty until the directory has named the batch's partition, which is
    /// a part of each code.
    pub async fn list(
        &self,
        who: &Principal,
        batch: BatchId,
        limit: u32,
        after: Option<u64>,
    ) -> Result<TokenSlice> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_batch(&mut conn, who, batch).await?;
        let kept = batches::secrets(&mut conn, &permit, batch).await?;
        drop(conn);
        let Some(partition) = kept.partition else {
            return Ok(TokenSlice { items: Vec::new(), next: None });
        };
        let end = kept.first_serial + u64::from(kept.units);
        let start = after.map_or(kept.first_serial, |serial| serial.saturating_add(1).max(kept.first_serial));
        let stop = end.min(start.saturating_add(u64::from(limit)));
        let secret = self.master_key.unwrap(&kept.secret, permit.tenant(), batch).map_err(Fault::internal)?;
        let deriver = secret.deriver(partition);
        let items: Vec<Token> = (start..stop)
            .map(|serial| Token { serial, masked_code: deriver.derive(serial).masked() })
            .collect();
        let next = items.last().map(|token| token.serial).filter(|serial| serial + 1 < end);
        Ok(TokenSlice { items, next })
    }
}
