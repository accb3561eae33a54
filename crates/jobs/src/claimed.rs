//! A claimed job before its kind is known to the type system.

use mintmark_auth::Actor;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{JobId, TenantId};
use serde_json::Value;

use crate::store::ClaimRow;

/// What a claim took out of the table.
#[derive(Clone)]
pub(crate) struct Claimed {
    pub(crate) id: JobId,
    /// One of the worker's own kinds.
    pub(crate) kind: &'static str,
    pub(crate) tenant: TenantId,
    pub(crate) actor: Actor,
    pub(crate) payload: Value,
    pub(crate) attempt: u32,
    pub(crate) max_attempts: u32,
    pub(crate) fence: i64,
    pub(crate) trace_parent: Option<String>,
    pub(crate) cancel_requested: bool,
}

impl Claimed {
    /// Reads a row. Only a row that something else wrote can fail here.
    pub(crate) fn read(row: ClaimRow, kinds: &[&'static str]) -> Result<Self> {
        let kind = kinds.iter().copied().find(|kind| *kind == row.kind);
        let kind =
            kind.ok_or_else(|| Fault::internal(format!("claimed a job of the kind {:?}", row.kind)))?;
        Ok(Self {
            id: JobId::from_uuid(row.id),
            kind,
            tenant: TenantId::parse(&row.tenant_id).map_err(Fault::internal)?,
            actor: row
                .actor
                .parse()
                .map_err(|e| Fault::internal(Box::<dyn std::error::Error + Send + Sync>::from(e)))?,
            payload: row.payload,
            attempt: row.attempts.unsigned_abs(),
            max_attempts: row.max_attempts.unsigned_abs(),
            fence: row.fence,
            trace_parent: row.trace_parent,
            cancel_requested: row.cancel_requested,
        })
    }
}
