//! Reading the audit of one tenant.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::action::{ExportAuditLog, ReadAdmin};
use mintmark_auth::policy::{Action, OnTenant, Permit};
use mintmark_db::Meaning;
use mintmark_fault::Result;
use serde_json::Value;
use uuid::Uuid;

use super::page::{Slice, Window};
use super::schema::audit_entry;

/// The actions that may read the audit.
pub trait ReadsAudit: Action<On = OnTenant> {}
impl ReadsAudit for ReadAdmin {}
impl ReadsAudit for ExportAuditLog {}

/// Which entries; what is left out does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// In whose name, exactly as entries show it.
    pub actor: Option<String>,
    /// What was done.
    pub action: Option<String>,
    /// To what kind of thing.
    pub resource_kind: Option<String>,
    /// To which one.
    pub resource_id: Option<String>,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
}

/// An entry as people read it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its id.
    pub id: Uuid,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// In whose name.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what kind of thing.
    pub resource_kind: String,
    /// To which one.
    pub resource_id: String,
    /// `allowed` or `refused`.
    pub outcome: String,
    /// The request's trace.
    pub trace_id: Option<String>,
    /// Further facts.
    pub detail: Value,
}

type Row = (Uuid, DateTime<Utc>, String, String, String, String, String, Option<String>, Value);

/// The entries of the permit's tenant that a query is about, newest first.
pub async fn list<A: ReadsAudit>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    query: &Query,
    window: Window,
) -> Result<Slice<Recorded>> {
    let mut wanted = audit_entry::table
        .filter(audit_entry::tenant_id.eq(permit.tenant().as_str()))
        .filter(audit_entry::id.lt(window.below()))
        .select((
            audit_entry::id,
            audit_entry::at,
            audit_entry::actor,
            audit_entry::action,
            audit_entry::resource_kind,
            audit_entry::resource_id,
            audit_entry::outcome,
            audit_entry::trace_id,
            audit_entry::detail,
        ))
        .into_boxed();
    if let Some(actor) = &query.actor {
        wanted = wanted.filter(audit_entry::actor.eq(actor));
    }
    if let Some(action) = &query.action {
        wanted = wanted.filter(audit_entry::action.eq(action));
    }
    if let Some(kind) = &query.resource_kind {
        wanted = wanted.filter(audit_entry::resource_kind.eq(kind));
    }
    if let Some(id) = &query.resource_id {
        wanted = wanted.filter(audit_entry::resource_id.eq(id));
    }
    if let Some(from) = query.from {
        wanted = wanted.filter(audit_entry::at.ge(from));
    }
    if let Some(to) = query.to {
        wanted = wanted.filter(audit_entry::at.lt(to));
    }
    let rows: Vec<Row> =
        wanted.order(audit_entry::id.desc()).limit(window.probe()).load(conn).await.or_fault()?;
    Ok(window.cut(rows, |row| row.0).map(read))
}

fn read((id, at, actor, action, resource_kind, resource_id, outcome, trace_id, detail): Row) -> Recorded {
    Recorded { id, at, actor, action, resource_kind, resource_id, outcome, trace_id, detail }
}
