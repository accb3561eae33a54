//! Which key-encryption key takes a record, and wrapping under it within the key's budget.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Days, NaiveDate, Utc};
use diesel_async::AsyncPgConnection;
use mintmark_audit::AuditEvent;
use mintmark_auth::Actor;
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Result};
use mintmark_ids::{KekId, ServiceName, TenantId};
use serde_json::json;

use crate::provider::{Bound, Dek, KeyProvider, WrappedDek};
use crate::store::keks::{self, Kek, KekState, Purpose};

/// Invocations that a process reserves at once: one write for so many records. A process that ends wastes the rest.
const BLOCK: u64 = 64;
/// A key may be closed between choosing and reserving; more often than this in a row it is not chance.
const ROUNDS: usize = 4;

/// How keys are cut and how long they are used.
#[derive(Clone, Copy, Debug)]
pub struct KekConfig {
    /// Days of one period.
    pub period_days: u32,
    /// Most invocations of one key; a spent one is closed and has a successor.
    pub max_wraps: u64,
}

/// Wraps keys of records under keys of the tenant. Cheap to clone; the clones share what was reserved.
#[derive(Clone)]
pub struct Keks {
    pool: Pool,
    provider: Arc<dyn KeyProvider>,
    config: KekConfig,
    /// What is left of the block that this process has reserved of each key.
    left: Arc<Mutex<HashMap<KekId, u64>>>,
}

impl Keks {
    /// Over the keys that `provider` keeps.
    pub fn new(pool: Pool, provider: Arc<dyn KeyProvider>, config: KekConfig) -> Self {
        Keks { pool, provider, config, left: Arc::default() }
    }

    /// How keys are cut.
    pub fn config(&self) -> KekConfig {
        self.config
    }

    /// Wraps a record's key under the key of the period in which it expires; of one that has expired, of today.
    ///
    /// # Errors
    /// 503 `KEYS_UNAVAILABLE` when the provider is away, 503 when the database is.
    pub async fn wrap_for_period(
        &self,
        bound: Bound<'_>,
        expires_at: DateTime<Utc>,
        dek: &Dek,
    ) -> Result<WrappedDek> {
        let day = expires_at.max(Utc::now()).date_naive();
        let (start, end) = period_of(day, self.config.period_days)?;
        self.wrap(bound, Purpose::Period { start, end }, dek).await
    }

    /// Wraps a record's key under a key of its own, which the hold keeps.
    ///
    /// # Errors
    /// As [`Keks::wrap_for_period`].
    pub async fn wrap_for_hold(&self, bound: Bound<'_>, dek: &Dek) -> Result<WrappedDek> {
        self.wrap(bound, Purpose::Hold { record: bound.record }, dek).await
    }

    async fn wrap(&self, bound: Bound<'_>, purpose: Purpose, dek: &Dek) -> Result<WrappedDek> {
        for _ in 0..ROUNDS {
            let kek = self.taking(bound.tenant, purpose).await?;
            if self.reserve(&kek).await? {
                return self.provider.wrap(kek.id, bound, dek).await;
            }
            self.close_spent(&kek).await?;
        }
        let sentence =
            "the keys of this period were closed one after the other; the same request may work now";
        Err(Fault::unavailable("KEYS_UNAVAILABLE", sentence))
    }

    /// The active key for this purpose: written down as pending, then made, then active.
    async fn taking(&self, tenant: &TenantId, purpose: Purpose) -> Result<Kek> {
        let kek = {
            let mut conn = self.pool.get().await?;
            keks::find_or_begin(&mut conn, tenant, purpose).await?
        };
        if kek.state == KekState::Active {
            return Ok(kek);
        }
        self.provider.create(tenant, kek.id).await?;
        let mut conn = self.pool.get().await?;
        let (kek_ref, provider) = (&kek, self.provider.name());
        transaction("evidence.kek_activate", &mut conn, async |conn: &mut AsyncPgConnection| {
            if keks::activate(conn, kek_ref.id).await? {
                record_kek(conn, tenant, "KEK_CREATED", kek_ref, provider).await?;
            }
            Ok(())
        })
        .await?;
        Ok(Kek { state: KekState::Active, ..kek })
    }

    /// One invocation of the key, out of a block that was written down before.
    async fn reserve(&self, kek: &Kek) -> Result<bool> {
        if self.take_reserved(kek.id) {
            return Ok(true);
        }
        let block = match kek.purpose {
            // It wraps one record.
            Purpose::Hold { .. } => 1,
            Purpose::Period { .. } => BLOCK.min(self.config.max_wraps),
        };
        let mut conn = self.pool.get().await?;
        let reserved = keks::reserve(&mut conn, kek.id, block, self.config.max_wraps).await?;
        if reserved && block > 1 {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            *left.entry(kek.id).or_default() += block - 1;
        }
        Ok(reserved)
    }

    fn take_reserved(&self, kek: KekId) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        match left.get_mut(&kek) {
            Some(1) => left.remove(&kek).is_some(),
            Some(more) => {
                *more -= 1;
                true
            }
            None => false,
        }
    }

    /// Whether a key has no block of invocations left.
    pub fn is_spent(&self, kek: &Kek) -> bool {
        kek.invocations + BLOCK.min(self.config.max_wraps) > self.config.max_wraps
    }

    /// A key that is spent takes nothing any more; the next round makes its successor.
    async fn close_spent(&self, kek: &Kek) -> Result<()> {
        let mut conn = self.pool.get().await?;
        let provider = self.provider.name();
        transaction("evidence.kek_close", &mut conn, async |conn: &mut AsyncPgConnection| {
            if keks::close(conn, &kek.tenant, kek.id).await? {
                record_kek(conn, &kek.tenant, "KEK_CLOSED", kek, provider).await?;
            }
            Ok(())
        })
        .await
    }
}

/// Writes an event in the life of a key.
async fn record_kek(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    action: &'static str,
    kek: &Kek,
    provider: &str,
) -> Result<()> {
    let purpose = match kek.purpose {
        Purpose::Period { start, end } => json!({ "from": start.to_string(), "to": end.to_string() }),
        Purpose::Hold { record } => json!({ "evidence": record.to_string() }),
    };
    let actor = Actor::Service(ServiceName::EvidenceVault);
    let detail = json!({ "provider": provider, "for": purpose });
    let event = AuditEvent::allowed(Some(tenant), &actor, action, ("kek", kek.id), detail);
    mintmark_audit::record(conn, &event).await?;
    Ok(())
}

/// The period that a day is in: its first day and the day after its last.
fn period_of(day: NaiveDate, period_days: u32) -> Result<(NaiveDate, NaiveDate)> {
    let length = i64::from(period_days.max(1));
    let since_epoch = day.signed_duration_since(NaiveDate::default()).num_days();
    let into = u64::try_from(since_epoch.rem_euclid(length)).map_err(Fault::internal)?;
    let start = day.checked_sub_days(Days::new(into));
    let end = start.and_then(|start| start.checked_add_days(Days::new(length.unsigned_abs())));
    start.zip(end).ok_or_else(|| Fault::internal("an expiry lies beyond the calendar"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn period_of_every_day_holds_it_and_periods_touch() {
        for days in [1, 7, 30] {
            let mut day = NaiveDate::from_ymd_opt(2026, 11, 1).unwrap();
            let (_, mut end) = period_of(day, days).unwrap();
            for _ in 0..100 {
                day = day.succ_opt().unwrap();
                let (start, next_end) = period_of(day, days).unwrap();
                assert!(start <= day && day < next_end);
                assert!(next_end == end || start == end, "{day}");
                end = next_end;
            }
        }
    }
}
