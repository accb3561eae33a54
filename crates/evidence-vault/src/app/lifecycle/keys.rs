//! The end of key-encryption keys: closed, emptied, destroyed.
//!
//! A key closes when its period is over, when its budget is spent, when its hold is lifted, or by an operator's rotation. It
//! takes nothing from then on, what it still opens is wrapped again under another, and then the provider destroys it, which
//! yields a certificate. Closing is one-way and records commit under active keys alone, so a closing key without references
//! stays without.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use mintmark_auth::Actor;
use mintmark_fault::{Chain, Fault, Result};
use mintmark_ids::{EvidenceId, JobId, KekId, TenantId};
use serde_json::json;
use uuid::Uuid;

use super::{Lifecycle, events};
use crate::app::record::State;
use crate::failpoint;
use crate::proof::{self, DestructionClaims};
use crate::provider::Bound;
use crate::store::keks::{self, Kek, KekState, Purpose};
use crate::store::records::{self, Lock};
use crate::store::{keys, rotation};

/// A key may be closed between wrapping and committing; more often than this in a row it is not chance.
const ROUNDS: usize = 4;
/// Records of one step of a re-wrap: after each the job says how far it is.
const STEP: i64 = 64;

/// How far a re-wrap came in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrapped {
    /// The last record that was looked at; none where nothing is left.
    pub last: Option<EvidenceId>,
    /// Records that have another key now.
    pub moved: u64,
    /// Records whose key could not be opened: they keep the old one, which is not destroyed.
    pub kept: u64,
}

impl Lifecycle {
    /// Closes the tenant's keys whose periods are over.
    ///
    /// # Errors
    /// 503.
    pub async fn close_over(&self, tenant: &TenantId, actor: &Actor) -> Result<()> {
        let over = rotation::open_periods(&mut *self.conn().await?, tenant, true).await?;
        for kek in &over {
            self.close(kek, actor).await?;
        }
        Ok(())
    }

    /// Closes the tenant's keys of periods that were made before this job was asked for: what comes next gets new ones, and
    /// a job that is repeated leaves those alone.
    ///
    /// # Errors
    /// 503.
    pub async fn close_older(&self, tenant: &TenantId, actor: &Actor, job: JobId) -> Result<()> {
        let open = rotation::open_periods(&mut *self.conn().await?, tenant, false).await?;
        for kek in open.iter().filter(|kek| kek.id.as_uuid() < job.as_uuid()) {
            self.close(kek, actor).await?;
        }
        Ok(())
    }

    pub(super) async fn close(&self, kek: &Kek, actor: &Actor) -> Result<()> {
        let provider = self.parts.provider.name();
        self.in_gate("evidence.kek_close", async |conn: &mut AsyncPgConnection| {
            if keks::close(conn, &kek.tenant, kek.id).await? {
                let detail = events::purpose(kek, provider);
                events::of_kek(conn, &kek.tenant, actor, "KEK_CLOSED", kek.id, detail).await?;
            }
            Ok(())
        })
        .await
    }

    /// The tenant's keys that close, and how many records still have a key under them.
    ///
    /// # Errors
    /// 503.
    pub async fn closing(&self, tenant: &TenantId) -> Result<(Vec<Kek>, u64)> {
        let mut conn = self.conn().await?;
        let closing = rotation::in_state(&mut conn, tenant, KekState::Closing).await?;
        let mut left = 0;
        for kek in &closing {
            left += rotation::references(&mut conn, kek.id).await?;
        }
        Ok((closing, left))
    }

    /// Whether a key was closed because its invocations are used up, and its period is not over.
    pub fn is_spent(&self, kek: &Kek) -> bool {
        let Purpose::Period { end, .. } = kek.purpose else { return false };
        Utc::now().date_naive() < end && self.parts.keks.is_spent(kek)
    }

    /// Wraps the next records of a closing key under others.
    ///
    /// # Errors
    /// 503.
    pub async fn rewrap_step(
        &self,
        kek: &Kek,
        actor: &Actor,
        after: Option<EvidenceId>,
    ) -> Result<Rewrapped> {
        let survivors =
            rotation::survivors(&mut *self.conn().await?, &kek.tenant, kek.id, after, STEP).await?;
        let mut done = Rewrapped { last: survivors.last().map(|one| one.record), moved: 0, kept: 0 };
        for one in &survivors {
            match self.rewrap(&kek.tenant, one.record, kek.id, one.expires_at).await {
                Ok(moved) => done.moved += u64::from(moved),
                Err(fault) if is_lost(&fault) => {
                    tracing::error!(evidence.id = %one.record, kek.id = %kek.id, error = %Chain(&fault), "the record's key cannot be opened");
                    done.kept += 1;
                }
                Err(fault) => return Err(fault),
            }
        }
        if done.moved > 0 {
            let detail = json!({ "records": done.moved });
            self.in_gate("evidence.keys_rewrapped", async |conn: &mut AsyncPgConnection| {
                events::of_kek(conn, &kek.tenant, actor, "KEYS_REWRAPPED", kek.id, detail.clone()).await
            })
            .await?;
        }
        failpoint::hit("rewrap.after_step");
        Ok(done)
    }

    /// Wraps a record's key, now under `from`, under the key of the period in which it expires. False where the record has
    /// another key meanwhile, or none.
    pub(super) async fn rewrap(
        &self,
        tenant: &TenantId,
        record: EvidenceId,
        from: KekId,
        expires_at: DateTime<Utc>,
    ) -> Result<bool> {
        let found = keys::find(&mut *self.conn().await?, record).await?;
        let Some(key) = found.filter(|key| key.kek == from) else { return Ok(false) };
        let bound = Bound { tenant, record };
        let dek = self.parts.provider.unwrap(bound, &key).await?;
        for _ in 0..ROUNDS {
            let new = self.parts.keks.wrap_for_period(bound, expires_at, &dek).await?;
            failpoint::hit("rewrap.after_wrap");
            let committed = self
                .in_gate("evidence.rewrap", async |conn: &mut AsyncPgConnection| {
                    if !keks::share_active(conn, tenant, new.kek).await? {
                        return Ok(None);
                    }
                    let row = records::find_any(conn, tenant, record, Lock::Update).await?;
                    let stored = row.is_some_and(|row| row.state == State::Stored);
                    if !stored || keys::find(conn, record).await?.as_ref() != Some(&key) {
                        return Ok(Some(false));
                    }
                    keys::put(conn, record, &new).await?;
                    Ok(Some(true))
                })
                .await?;
            if let Some(moved) = committed {
                return Ok(moved);
            }
        }
        let sentence = "the keys of this period were closed one after the other; the next run tries again";
        Err(Fault::unavailable("KEYS_UNAVAILABLE", sentence))
    }

    /// Destroys a closing key that nothing refers to, and certifies it. False where something does, or it is gone already.
    ///
    /// # Errors
    /// 503.
    pub async fn destroy_unused(&self, tenant: &TenantId, id: KekId, actor: &Actor) -> Result<bool> {
        let unused = self
            .in_gate("evidence.kek_unused", async |conn: &mut AsyncPgConnection| {
                rotation::lock_unused(conn, tenant, id).await
            })
            .await?;
        let Some(kek) = unused else { return Ok(false) };
        if let Purpose::Hold { record } = kek.purpose {
            // A crash after the lift left it: a hold whose key closes is none.
            let held = self.parts.provider.held(tenant, record).await?;
            if held.is_some_and(|hold| hold.key.kek == id) {
                self.parts.provider.release(tenant, record).await?;
            }
        }
        failpoint::hit("destroy.before_provider");
        self.parts.provider.destroy(id).await?;
        failpoint::hit("destroy.after_provider");
        let destroyed_at = Utc::now();
        let certificate =
            proof::key_certificate(self.parts.provider.as_ref(), &certified(&kek, destroyed_at, actor))
                .await?;
        let (provider, kek) = (self.parts.provider.name(), &kek);
        let written = self
            .in_gate("evidence.kek_destroyed", async |conn: &mut AsyncPgConnection| {
                let first = rotation::destroyed(conn, id, destroyed_at, &certificate).await?;
                if first {
                    let mut detail = events::purpose(kek, provider);
                    detail["certificate"] = json!(certificate);
                    events::of_kek(conn, tenant, actor, "KEK_DESTROYED", id, detail).await?;
                }
                Ok(first)
            })
            .await?;
        failpoint::hit("destroy.after_commit");
        Ok(written)
    }

    /// Drops the tombstones of a tenant that refuse nothing any more: every key that was there when they were made is destroyed.
    ///
    /// # Errors
    /// 503.
    pub async fn disinter(&self, tenant: &TenantId) -> Result<usize> {
        let tombstones = self.parts.provider.tombstones().await?;
        let ours: Vec<_> = tombstones.into_iter().filter(|stone| stone.tenant == *tenant).collect();
        if ours.is_empty() {
            return Ok(0);
        }
        // The provider's keys, not the rows: a restored database does not know of all of them.
        let keys = self.parts.provider.keys().await?;
        let oldest =
            keys.iter().filter(|(owner, _)| owner == tenant).filter_map(|(_, kek)| made_at(*kek)).min();
        let mut dropped = 0;
        for stone in ours {
            if oldest.is_some_and(|oldest| oldest <= stone.at) {
                continue;
            }
            let row = records::find_any(&mut *self.conn().await?, tenant, stone.record, Lock::No).await?;
            if row.is_none_or(|row| row.deleted_at.is_some()) {
                self.parts.provider.disinter(tenant, stone.record).await?;
                dropped += 1;
            }
        }
        Ok(dropped)
    }
}

/// Whether a fault says that a key will never open again, rather than not now.
fn is_lost(fault: &Fault) -> bool {
    matches!(fault.code(), "EVIDENCE_SHREDDED" | "EVIDENCE_KEY_DESTROYED" | "EVIDENCE_KEY_DAMAGED")
}

/// When a key was made: its id says so.
fn made_at(kek: KekId) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = kek.as_uuid().get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}

fn certified(kek: &Kek, destroyed_at: DateTime<Utc>, actor: &Actor) -> DestructionClaims {
    let (purpose, period, record) = match kek.purpose {
        Purpose::Period { start, end } => ("period", Some((start, end)), None),
        Purpose::Hold { record } => ("hold", None, Some(record)),
    };
    DestructionClaims {
        tenant: kek.tenant.clone(),
        kek: kek.id,
        purpose,
        period,
        record,
        created_at: kek.created_at,
        destroyed_at,
        nonce: Uuid::new_v4(),
        actor: actor.to_string(),
    }
}
