//! The units of a batch, with their codes masked: derived on the fly, because no code is stored.

use std::sync::Arc;

use diesel_async::AsyncPgConnection;
use mintmark_audit::{self as audit, AuditEvent};
use mintmark_auth::{Principal, action};
use mintmark_codes::Code;
use mintmark_codes::link::{self, Base};
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Result};
use mintmark_ids::{BatchId, TenantId};
use mintmark_minting::{BatchSecret, CodeMasterKey, WrappedSecret};
use serde_json::json;

use super::access;
use crate::store::batches::{self, BatchState};
use crate::store::events;

/// Lists units.
#[derive(Clone)]
pub struct Tokens {
    pool: Pool,
    master_key: Arc<CodeMasterKey>,
    base: Base,
}

/// One unit.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its serial number.
    pub serial: u64,
    /// Its code, all but the first two and last four characters hidden; none once the batch's secret is destroyed.
    pub masked_code: Option<String>,
}

/// One unit with its whole code. It does not print.
pub struct Revealed {
    /// Its serial number.
    pub serial: u64,
    /// Its code.
    pub code: Code,
    /// What its symbol says.
    pub uri: String,
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
    /// Unwraps secrets with `master_key`; symbols start with `base`.
    pub fn new(pool: Pool, master_key: Arc<CodeMasterKey>, base: Base) -> Self {
        Tokens { pool, master_key, base }
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
        let permit = access::to_batch::<action::ViewBatch>(&mut conn, who, batch).await?;
        let kept = batches::secrets(&mut conn, &permit, batch).await?;
        drop(conn);
        let Some(partition) = kept.partition else {
            return Ok(TokenSlice { items: Vec::new(), next: None });
        };
        let end = kept.first_serial + u64::from(kept.units);
        let start = after.map_or(kept.first_serial, |serial| serial.saturating_add(1).max(kept.first_serial));
        let stop = end.min(start.saturating_add(u64::from(limit)));
        let deriver = match &kept.secret {
            Some(wrapped) => Some(self.unwrap(wrapped, permit.tenant(), batch)?.deriver(partition)),
            None => None,
        };
        let masked = |serial| deriver.as_ref().map(|deriver| deriver.derive(serial).masked());
        let items: Vec<Token> =
            (start..stop).map(|serial| Token { serial, masked_code: masked(serial) }).collect();
        let next = items.last().map(|token| token.serial).filter(|serial| serial + 1 < end);
        Ok(TokenSlice { items, next })
    }

    /// The whole code of one unit of a published batch, for whoever may download its packs. It stands in history and audit
    /// before it is shown. 404 for a serial of another batch; 409 `BATCH_NOT_SEALED`, `BATCH_SECRET_DESTROYED`.
    pub async fn reveal(&self, who: &Principal, id: BatchId, serial: u64) -> Result<Revealed> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_batch::<action::DownloadExport>(&mut conn, who, id).await?;
        let batch = batches::find(&mut conn, &permit, id).await?;
        if !(batch.first_serial..=batch.last_serial()).contains(&serial) {
            return Err(Fault::not_found("unit"));
        }
        let kept = batches::secrets(&mut conn, &permit, id).await?;
        let wrapped = kept.secret.ok_or_else(batches::secret_destroyed)?;
        let published = matches!(batch.state, BatchState::Sealed | BatchState::Revoked);
        let partition = kept.partition.filter(|_| published).ok_or_else(|| {
            let state = batch.state;
            Fault::conflict(
                "BATCH_NOT_SEALED",
                format!("the batch is {state}: only a published one has codes"),
            )
        })?;
        let code = self.unwrap(&wrapped, permit.tenant(), id)?.derive(partition, serial);
        transaction("token.reveal", &mut conn, async |conn: &mut AsyncPgConnection| {
            events::append(conn, &permit, id, "code.revealed", json!({ "serial": serial })).await?;
            let (of, by) = (Some(permit.tenant()), permit.actor());
            let detail = json!({ "serial": serial });
            audit::record(conn, &AuditEvent::allowed(of, by, "CODE_REVEALED", ("batch", id), detail)).await
        })
        .await?;
        Ok(Revealed { serial, uri: link::unit_uri(&self.base, &batch.gtin, &code), code })
    }

    fn unwrap(&self, wrapped: &WrappedSecret, tenant: &TenantId, batch: BatchId) -> Result<BatchSecret> {
        self.master_key.unwrap(wrapped, tenant, batch).map_err(Fault::internal)
    }
}
