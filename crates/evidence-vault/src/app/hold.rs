//! Legal holds: a held record has a key of its own, which the provider keeps beside the hold, outside the database.
//!
//! Everything that decides is done while the record's row is locked. A shredding run locks it too and asks the provider for a
//! hold before it begins, so that a hold and a shred of the same record never both win.

use diesel_async::AsyncPgConnection;
use mintmark_audit::AuditEvent;
use mintmark_db::transaction;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{EvidenceId, KekId};
use serde_json::json;
use tokio::sync::Semaphore;

use super::access::{Caller, Operation, Reach};
use super::evidence::{Evidence, shredded};
use super::record::{Record, State};
use crate::failpoint;
use crate::provider::{Bound, Hold, WrappedDek};
use crate::store::records::{self, Lock};
use crate::store::{keks, keys};

/// A key may be closed between wrapping and committing; more often than this in a row it is not chance.
const ROUNDS: usize = 4;

/// A hold keeps its row locked while it takes a second connection for its key: more of them at once than this would wait for
/// one another's connections and never end.
static TURNS: Semaphore = Semaphore::const_new(2);

impl Evidence {
    /// Sets a record's hold, or lifts it; what is so already stays so.
    ///
    /// # Errors
    /// 403; 404; 410 `EVIDENCE_SHREDDED`; 500 `EVIDENCE_DAMAGED`; 503.
    pub async fn set_hold(&self, who: &Caller, id: EvidenceId, held: bool) -> Result<Record> {
        let reach = self.allowed(who, Operation::Hold, ("evidence", id.to_string())).await?;
        let _turn = TURNS.acquire().await.map_err(Fault::internal)?;
        for _ in 0..ROUNDS {
            let changed =
                if held { self.hold(who, id, reach).await? } else { self.lift(who, id, reach).await? };
            if let Some(record) = changed {
                return Ok(record);
            }
        }
        let sentence =
            "the keys of this record were closed one after the other; the same request may work now";
        Err(Fault::unavailable("KEYS_UNAVAILABLE", sentence))
    }

    /// The record, locked, its key, and that key opened.
    async fn locked(
        &self,
        conn: &mut AsyncPgConnection,
        who: &Caller,
        id: EvidenceId,
        reach: Reach,
    ) -> Result<(Record, WrappedDek)> {
        self.gate.check(conn).await?;
        let record = records::find(conn, &who.tenant, id, Lock::Update).await?;
        self.covered(who, Operation::Hold, reach, &record).await?;
        if record.state != State::Stored {
            return Err(shredded());
        }
        match keys::find(conn, id).await? {
            Some(key) => Ok((record, key)),
            None => Err(self.damaged(who, id, "key", "a stored record has no key").await),
        }
    }

    /// None where the key was closed meanwhile.
    async fn hold(&self, who: &Caller, id: EvidenceId, reach: Reach) -> Result<Option<Record>> {
        let mut conn = self.conn().await?;
        let bound = Bound { tenant: &who.tenant, record: id };
        transaction("evidence.hold", &mut conn, async |conn: &mut AsyncPgConnection| {
            let (record, key) = self.locked(conn, who, id, reach).await?;
            if record.legal_hold {
                return Ok(Some(record));
            }
            let dek = self.unwrap(who, &record, &key).await?;
            let own = self.keks.wrap_for_hold(bound, &dek).await?;
            failpoint::hit("hold.after_kek");
            if !keks::share_active(conn, &who.tenant, own.kek).await? {
                return Ok(None);
            }
            // Outside first: should this end here, reconciliation finds the hold and writes it down.
            self.provider.hold(&Hold { tenant: who.tenant.clone(), record: id, key: own.clone() }).await?;
            failpoint::hit("hold.after_provider");
            keys::put(conn, id, &own).await?;
            records::set_hold(conn, &who.tenant, id, true).await?;
            note(conn, who, id, "LEGAL_HOLD_SET", own.kek).await?;
            records::find(conn, &who.tenant, id, Lock::No).await.map(Some)
        })
        .await
        .inspect(|record| {
            if record.is_some() {
                failpoint::hit("hold.after_commit");
            }
        })
    }

    /// None where the key was closed meanwhile.
    async fn lift(&self, who: &Caller, id: EvidenceId, reach: Reach) -> Result<Option<Record>> {
        let mut conn = self.conn().await?;
        let bound = Bound { tenant: &who.tenant, record: id };
        let lifted = transaction("evidence.lift", &mut conn, async |conn: &mut AsyncPgConnection| {
            let (record, own) = self.locked(conn, who, id, reach).await?;
            if !record.legal_hold {
                return Ok(Some((record, false)));
            }
            let dek = self.unwrap(who, &record, &own).await?;
            let key = self.keks.wrap_for_period(bound, record.expires_at, &dek).await?;
            if !keks::share_active(conn, &who.tenant, key.kek).await? {
                return Ok(None);
            }
            keys::put(conn, id, &key).await?;
            records::set_hold(conn, &who.tenant, id, false).await?;
            keks::close(conn, &who.tenant, own.kek).await?;
            note(conn, who, id, "LEGAL_HOLD_LIFTED", own.kek).await?;
            Ok(Some((records::find(conn, &who.tenant, id, Lock::No).await?, true)))
        })
        .await?;
        let Some((record, changed)) = lifted else { return Ok(None) };
        if changed {
            failpoint::hit("release.after_commit");
            // Should this fail, reconciliation finds a hold whose key is closed, and releases it.
            self.provider.release(&who.tenant, id).await?;
            failpoint::hit("release.after_provider");
        }
        Ok(Some(record))
    }
}

async fn note(
    conn: &mut AsyncPgConnection,
    who: &Caller,
    id: EvidenceId,
    action: &'static str,
    kek: KekId,
) -> Result<()> {
    let mut detail = who.detail();
    detail["kek"] = json!(kek.to_string());
    let event = AuditEvent::allowed(Some(&who.tenant), &who.actor, action, ("evidence", id), detail);
    mintmark_audit::record(conn, &event).await.map(drop)
}
