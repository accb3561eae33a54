//! An operator's commands over all records of a tenant: jobs of the queue.

use diesel_async::AsyncPgConnection;
use mintmark_audit::AuditEvent;
use mintmark_db::transaction;
use mintmark_fault::{Fault, Result};
use mintmark_ids::JobId;
use mintmark_jobs::{JobKind, JobState, enqueue, status};
use serde_json::json;

use super::access::{Caller, Operation as Act};
use super::evidence::Evidence;
use crate::jobs::{DataRetention, RecomputeRetention, RotateKeys};

/// What an operator starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Erase what is due, and destroy keys that nothing needs.
    Retention,
    /// Close the tenant's keys, re-wrap what is left, and destroy the old ones.
    RotateKeys,
    /// Compute every expiry anew from the configured retention.
    RecomputeRetention,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 3] = [Kind::Retention, Kind::RotateKeys, Kind::RecomputeRetention];

    /// Its name in the queue.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Retention => DataRetention::NAME,
            Kind::RotateKeys => RotateKeys::NAME,
            Kind::RecomputeRetention => RecomputeRetention::NAME,
        }
    }
}

/// Work on all of a tenant's records.
#[derive(Clone, Debug)]
pub struct Operation {
    /// `job_…`.
    pub id: JobId,
    /// Which.
    pub kind: Kind,
    /// How it stands.
    pub state: JobState,
    /// Records done.
    pub done: u64,
    /// Records to do, as far as it is known.
    pub total: u64,
    /// Why it failed.
    pub last_error: Option<String>,
}

impl Evidence {
    /// Starts work on all of the tenant's records.
    ///
    /// # Errors
    /// 403; 503.
    pub async fn start_operation(&self, who: &Caller, kind: Kind) -> Result<Operation> {
        self.allowed(who, Act::Operate, ("operation", kind.name().to_owned())).await?;
        let mut conn = self.conn().await?;
        let id = transaction("evidence.operate", &mut conn, async |conn: &mut AsyncPgConnection| {
            let (tenant, actor) = (&who.tenant, &who.actor);
            let id = match kind {
                Kind::Retention => enqueue::<DataRetention>(conn, tenant, actor, &Default::default()).await?,
                Kind::RotateKeys => enqueue::<RotateKeys>(conn, tenant, actor, &Default::default()).await?,
                Kind::RecomputeRetention => {
                    enqueue::<RecomputeRetention>(conn, tenant, actor, &Default::default()).await?
                }
            };
            let detail = json!({ "kind": kind.name() });
            let event =
                AuditEvent::allowed(Some(tenant), actor, Act::Operate.action(), ("operation", id), detail);
            mintmark_audit::record(conn, &event).await?;
            Ok(id)
        })
        .await?;
        drop(conn);
        self.operation(who, id).await
    }

    /// How far such work is.
    ///
    /// # Errors
    /// 403; 404.
    pub async fn operation(&self, who: &Caller, id: JobId) -> Result<Operation> {
        self.allowed(who, Act::Operate, ("operation", id.to_string())).await?;
        let found = status(&mut *self.conn().await?, id).await?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == found.kind);
        match kind.filter(|_| found.tenant == who.tenant) {
            Some(kind) => Ok(Operation {
                id,
                kind,
                state: found.state,
                done: found.done,
                total: found.total,
                last_error: found.last_error,
            }),
            None => Err(Fault::not_found("operation")),
        }
    }
}
