//! Reading the vault's audit: entries, and proofs that the log holds them.

use futures::stream::{self, Stream};
use mintmark_audit::bundle::Line;
use mintmark_audit::export::Export;
use mintmark_audit::log::{self, Query, Recorded};
use mintmark_audit::proof::Inclusion;
use mintmark_fault::Result;
use uuid::Uuid;

use super::access::{Caller, Operation};
use super::evidence::Evidence;

impl Evidence {
    /// Up to `limit` of the tenant's entries, newest first, below `below`.
    ///
    /// # Errors
    /// 403; 503.
    pub async fn audit_entries(
        &self,
        who: &Caller,
        query: &Query,
        below: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Recorded>> {
        self.allowed(who, Operation::Audit, ("audit", String::from("entries"))).await?;
        let mut conn = self.conn().await?;
        log::entries(&mut conn, &who.tenant, query, below.unwrap_or(Uuid::max()), limit).await
    }

    /// The proof that the log holds one of the tenant's entries.
    ///
    /// # Errors
    /// 403; 404; 409 `AUDIT_ENTRY_PENDING` until a checkpoint covers it.
    pub async fn audit_proof(&self, who: &Caller, entry: Uuid) -> Result<Inclusion> {
        self.allowed(who, Operation::Audit, ("audit", entry.to_string())).await?;
        log::proof(&mut *self.conn().await?, Some(&who.tenant), entry).await
    }

    /// The tenant's part of the log, as whole lines of the bundle that `mintmark audit verify` reads: without its header and
    /// its trailer, which the exporter writes and signs.
    ///
    /// # Errors
    /// 403; 503, also while it is read.
    pub async fn export_audit(
        &self,
        who: &Caller,
    ) -> Result<impl Stream<Item = Result<Vec<u8>>> + Send + use<>> {
        self.allowed(who, Operation::Audit, ("audit", String::from("export"))).await?;
        let mut conn = self.conn().await?;
        let export = Export::begin(&mut conn, &who.tenant, None, None).await?;
        Ok(stream::try_unfold((conn, export), |(mut conn, mut export)| async move {
            let Some(lines) = export.next(&mut conn).await? else { return Ok(None) };
            let text: String = lines.iter().map(Line::to_text).collect();
            Ok(Some((text.into_bytes(), (conn, export))))
        }))
    }
}
