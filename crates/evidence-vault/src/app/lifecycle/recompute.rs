//! An operator's command: every expiry anew from the configured retention.

use chrono::{DateTime, Days, Utc};
use diesel_async::AsyncPgConnection;
use mintmark_auth::Actor;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{EvidenceId, TenantId};
use serde_json::json;

use super::{Lifecycle, events};
use crate::app::record::Record;
use crate::store::keks::{self, Purpose};
use crate::store::{keys, reconciling};

/// How far the command came in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recomputed {
    /// The last record that was looked at; none where nothing is left.
    pub last: Option<EvidenceId>,
    /// Records that were looked at.
    pub looked: u64,
    /// Records that expire at another time now.
    pub changed: u64,
}

impl Lifecycle {
    /// How many records the command has to look at.
    ///
    /// # Errors
    /// 503.
    pub async fn stored_records(&self, tenant: &TenantId) -> Result<u64> {
        reconciling::count_stored(&mut *self.conn().await?, tenant).await
    }

    /// Computes the expiry of the next records. A key of a later period than a record expires in is closed first: for as long
    /// as it lived, a backup of the record could be opened. Emptying it wraps the record's key under its own period's.
    ///
    /// # Errors
    /// 503.
    pub async fn recompute_step(
        &self,
        tenant: &TenantId,
        actor: &Actor,
        after: Option<EvidenceId>,
    ) -> Result<Recomputed> {
        let records =
            reconciling::stored_records(&mut *self.conn().await?, tenant, after, self.batch()).await?;
        let mut done = Recomputed { last: records.last().map(|record| record.id), ..Recomputed::default() };
        for record in &records {
            done.looked += 1;
            let days = self.parts.retention.days(tenant, record.subject.kind);
            if days == record.retention_days {
                continue;
            }
            self.leave(record, days, actor).await?;
            done.changed += u64::from(self.recompute(record, days, actor).await?);
        }
        Ok(done)
    }

    async fn recompute(&self, record: &Record, days: i32, actor: &Actor) -> Result<bool> {
        let expires_at = expiry(record, days)?;
        self.in_gate("evidence.recompute", async |conn: &mut AsyncPgConnection| {
            let changed =
                reconciling::set_retention(conn, &record.tenant, record.id, days, expires_at).await?;
            if changed {
                let detail = json!({ "days": days, "before": record.retention_days });
                let action = "EVIDENCE_RETENTION_CHANGED";
                events::of_record(conn, &record.tenant, actor, action, record.id, detail).await?;
            }
            Ok(changed)
        })
        .await
    }

    /// Closes the record's key where it is one of a later period.
    async fn leave(&self, record: &Record, days: i32, actor: &Actor) -> Result<()> {
        let day = expiry(record, days)?.max(Utc::now()).date_naive();
        let kek = {
            let mut conn = self.conn().await?;
            let Some(key) = keys::find(&mut conn, record.id).await? else { return Ok(()) };
            keks::find(&mut conn, &record.tenant, key.kek).await?
        };
        match kek {
            Some(kek) if matches!(kek.purpose, Purpose::Period { start, .. } if day < start) => {
                self.close(&kek, actor).await
            }
            // A held record keeps the key of its hold; a key of an earlier period is emptied when that is over.
            _ => Ok(()),
        }
    }
}

fn expiry(record: &Record, days: i32) -> Result<DateTime<Utc>> {
    let after = record.created_at.checked_add_days(Days::new(u64::from(days.unsigned_abs())));
    after.ok_or_else(|| Fault::internal("an expiry lies beyond the calendar"))
}
