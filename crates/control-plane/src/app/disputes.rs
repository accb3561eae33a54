//! Disputes about printed units: opened by whoever has a role for evidence, decided by an arbitrator or a governor.

use diesel_async::AsyncPgConnection;
use mintmark_audit::{self as audit, AuditEvent};
use mintmark_auth::action::{CloseDispute, OpenDispute, ViewDispute};
use mintmark_auth::policy::Permit;
use mintmark_auth::{DisputeState, Principal};
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Result};
use mintmark_ids::DisputeId;
use serde_json::{Value, json};

use super::idempotency::{self, Answer, Request};
use super::{access, check};
use crate::store::disputes::{self, Dispute};
use crate::store::page::{Slice, Window};

/// How a dispute can end.
pub const OUTCOMES: [&str; 3] = ["upheld", "rejected", "settled"];

/// What people do with disputes.
#[derive(Clone)]
pub struct Disputes {
    pool: Pool,
}

impl Disputes {
    /// Works on the given database.
    pub fn new(pool: Pool) -> Self {
        Disputes { pool }
    }

    /// Opens a dispute, once for its key.
    pub async fn open(
        &self,
        who: &Principal,
        request: impl FnOnce() -> Result<Request>,
        reference: &str,
        render: impl Fn(&Dispute) -> Value + Send + Sync,
    ) -> Result<Answer> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<OpenDispute> = access::to_own_tenant(&mut conn, who).await?;
        let request = request()?;
        check::name("reference", reference)?;
        transaction("dispute.open", &mut conn, async |conn: &mut AsyncPgConnection| {
            idempotency::once(conn, &permit, Some(&request), async |conn: &mut AsyncPgConnection| {
                let dispute = disputes::insert(conn, &permit, DisputeId::new(), reference).await?;
                let (of, by) = (Some(permit.tenant()), permit.actor());
                // The reference is the tenant's own words: it stays out of the audit.
                let act = AuditEvent::allowed(of, by, "DISPUTE_OPENED", ("dispute", dispute.id), json!({}));
                audit::record(conn, &act).await?;
                Ok(Answer::fresh(201, render(&dispute)))
            })
            .await
        })
        .await
    }

    /// One dispute.
    pub async fn find(&self, who: &Principal, id: DisputeId) -> Result<Dispute> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<ViewDispute> = access::to_own_tenant(&mut conn, who).await?;
        disputes::find(&mut conn, &permit, id).await
    }

    /// The disputes of the caller's tenant, newest first.
    pub async fn list(
        &self,
        who: &Principal,
        state: Option<DisputeState>,
        window: Window,
    ) -> Result<Slice<Dispute>> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<ViewDispute> = access::to_own_tenant(&mut conn, who).await?;
        disputes::list(&mut conn, &permit, state, window).await
    }

    /// Decides a dispute, for good.
    ///
    /// # Errors
    /// 409 `DISPUTE_CLOSED`.
    pub async fn close(&self, who: &Principal, id: DisputeId, outcome: &str) -> Result<Dispute> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<CloseDispute> = access::to_own_tenant(&mut conn, who).await?;
        if !OUTCOMES.contains(&outcome) {
            let sentence = "an outcome is upheld, rejected or settled";
            return Err(Fault::invalid("OUTCOME_INVALID", "outcome", sentence));
        }
        transaction("dispute.close", &mut conn, async |conn: &mut AsyncPgConnection| {
            let dispute = disputes::close(conn, &permit, id, outcome).await?;
            let (of, by) = (Some(permit.tenant()), permit.actor());
            let detail = json!({ "outcome": outcome });
            audit::record(conn, &AuditEvent::allowed(of, by, "DISPUTE_CLOSED", ("dispute", id), detail))
                .await?;
            Ok(dispute)
        })
        .await
    }
}
