//! What all use cases stand on.

use std::sync::Arc;

use diesel_async::AsyncPgConnection;
use mintmark_audit::{AuditEvent, Gate, Outcome};
use mintmark_db::{Conn, Pool, transaction};
use mintmark_fault::{Chain, Fault, Kind, Result};
use mintmark_ids::EvidenceId;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::access::{Caller, Operation, Reach, Refusal};
use super::keks::Keks;
use super::record::Record;
use crate::blob::Blobs;
use crate::config::Retention;
use crate::provider::{Bound, Dek, KeyProvider, WrappedDek};

/// Everything the vault is made of. Cheap to clone.
#[derive(Clone)]
pub struct Evidence {
    /// Rows.
    pub pool: Pool,
    /// Ciphertext.
    pub blobs: Blobs,
    /// Keys.
    pub provider: Arc<dyn KeyProvider>,
    /// Which key takes what.
    pub keks: Keks,
    /// Closed while the database is behind what was witnessed outside it.
    pub gate: Gate,
    /// How long records are kept.
    pub retention: Arc<Retention>,
    /// Largest record.
    pub max_bytes: u64,
    /// Places for uploads that run at once.
    pub uploads: Arc<Semaphore>,
}

impl Evidence {
    /// What the caller may reach with this; a refusal is audited before it is told.
    ///
    /// # Errors
    /// 403 `EVIDENCE_ROLE_REQUIRED`, `DISPUTE_CLOSED`; 503 when the refusal cannot be written.
    pub async fn allowed(
        &self,
        who: &Caller,
        operation: Operation,
        resource: (&'static str, String),
    ) -> Result<Reach> {
        match who.reach(operation) {
            Ok(reach) => Ok(reach),
            Err(why) => Err(self.refuse(who, operation, resource, why).await),
        }
    }

    /// Whether a record lies within what the caller may reach; a refusal is audited before it is told.
    ///
    /// # Errors
    /// 403; 404 for a record of another dispute.
    pub async fn covered(
        &self,
        who: &Caller,
        operation: Operation,
        reach: Reach,
        record: &Record,
    ) -> Result<()> {
        match who.covers(reach, record) {
            Ok(()) => Ok(()),
            Err(why) => Err(self.refuse(who, operation, ("evidence", record.id.to_string()), why).await),
        }
    }

    async fn refuse(
        &self,
        who: &Caller,
        operation: Operation,
        resource: (&'static str, String),
        why: Refusal,
    ) -> Fault {
        let mut detail = who.detail();
        detail["reason"] = json!(why.name());
        match self.note_refusal(who, operation.action(), resource, detail).await {
            Ok(()) => who.refused(operation, why),
            // What is not written down is not said either.
            Err(fault) => fault,
        }
    }

    /// Writes that something was refused, in a transaction of its own.
    ///
    /// # Errors
    /// 503 when the database is away.
    pub async fn note_refusal(
        &self,
        who: &Caller,
        action: &'static str,
        (resource_kind, resource_id): (&'static str, String),
        detail: Value,
    ) -> Result<()> {
        let event = AuditEvent {
            tenant: Some(&who.tenant),
            actor: &who.actor,
            action,
            resource_kind,
            resource_id,
            outcome: Outcome::Refused,
            detail,
        };
        let (mut conn, event) = (self.conn().await?, &event);
        transaction("evidence.refused", &mut conn, async |conn: &mut AsyncPgConnection| {
            mintmark_audit::record(conn, event).await.map(drop)
        })
        .await
    }

    /// Opens a record's key. That it cannot be opened is audited, whatever the reason.
    ///
    /// # Errors
    /// 410 `EVIDENCE_SHREDDED`; 500 `EVIDENCE_DAMAGED`; 503 `KEYS_UNAVAILABLE`.
    pub async fn unwrap(&self, who: &Caller, record: &Record, key: &WrappedDek) -> Result<Dek> {
        let bound = Bound { tenant: &record.tenant, record: record.id };
        match self.provider.unwrap(bound, key).await {
            Ok(dek) => Ok(dek),
            Err(fault) if fault.kind() == Kind::Unavailable => Err(fault),
            Err(fault) if fault.code() == "EVIDENCE_SHREDDED" => {
                let mut detail = who.detail();
                detail["reason"] = json!("tombstone");
                let resource = ("evidence", record.id.to_string());
                self.note_refusal(who, Operation::Content.action(), resource, detail).await?;
                Err(fault)
            }
            Err(fault) => {
                let part = if fault.code() == "EVIDENCE_KEY_DESTROYED" { "kek" } else { "key" };
                Err(self.damaged(who, record.id, part, fault).await)
            }
        }
    }

    /// What is stored is not what was encrypted: audited, and told without saying where.
    pub async fn damaged(
        &self,
        who: &Caller,
        record: EvidenceId,
        part: &'static str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Fault {
        let mut detail = who.detail();
        detail["part"] = json!(part);
        let fault = damage().caused_by(cause);
        tracing::error!(%record, part, error = %Chain(&fault), "evidence is damaged");
        match self.note_refusal(who, "EVIDENCE_DAMAGED", ("evidence", record.to_string()), detail).await {
            Ok(()) => fault,
            Err(fault) => fault,
        }
    }

    /// A connection.
    ///
    /// # Errors
    /// 503.
    pub async fn conn(&self) -> Result<Conn> {
        self.pool.get().await
    }
}

fn damage() -> Fault {
    Fault::new(
        Kind::Internal,
        "EVIDENCE_DAMAGED",
        "what is stored is not what was encrypted: it was altered or lost, and nothing of it is given out; tell an operator",
    )
}

/// Nobody reads it any more.
pub(super) fn shredded() -> Fault {
    Fault::new(Kind::Gone, "EVIDENCE_SHREDDED", "this record is erased, or its erasure has begun")
}
