//! Entries: one for each act, written in the transaction of the act, and one for each refusal.
//!
//! The login of a service can add entries and read them, and nothing else. Each entry carries a commitment over all its
//! fields: a leaf of the log holds that and no field, so that a published tree says nothing about people.

use std::fmt::Display;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Timestamptz;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::Actor;
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::TenantId;
use mintmark_service::telemetry;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use serde_json::Value;
use tracing::Span;
use uuid::Uuid;

use crate::entry::{Entry, SALT_LEN};
use crate::schema::{audit_entry, audit_pending};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Allowed,
    /// The caller had not the right.
    Refused,
}

impl Outcome {
    /// As it stands in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Allowed => "allowed",
            Outcome::Refused => "refused",
        }
    }
}

/// Something that somebody did or was refused.
#[derive(Clone, Debug)]
pub struct AuditEvent<'a> {
    /// Whose things; none for the platform as a whole.
    pub tenant: Option<&'a TenantId>,
    /// In whose name.
    pub actor: &'a Actor,
    /// What, in the past tense: `BATCH_CREATED`.
    pub action: &'static str,
    /// What kind of thing it was done to: `batch`.
    pub resource_kind: &'static str,
    /// Which one.
    pub resource_id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// An object of further facts: ids, counts, states. Never a name, an address, free text, a code or a secret.
    pub detail: Value,
}

impl<'a> AuditEvent<'a> {
    /// An act that is done in the transaction that records this.
    pub fn allowed(
        tenant: Option<&'a TenantId>,
        actor: &'a Actor,
        action: &'static str,
        (resource_kind, resource_id): (&'static str, impl Display),
        detail: Value,
    ) -> Self {
        let (outcome, resource_id) = (Outcome::Allowed, resource_id.to_string());
        AuditEvent { tenant, actor, action, resource_kind, resource_id, outcome, detail }
    }

    /// A further fact.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Serialize) -> Self {
        // Ids and numbers always have a JSON form.
        self.detail[name] = serde_json::to_value(value).unwrap_or(Value::Null);
        self
    }
}

/// Writes an entry, and notes that the log does not hold it yet. Call it in the transaction of the act.
pub async fn record(conn: &mut AsyncPgConnection, event: &AuditEvent<'_>) -> Result<Uuid> {
    let (id, _commitment) = insert(conn, event).await?;
    diesel::insert_into(audit_pending::table)
        .values(audit_pending::entry_id.eq(id))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(id)
}

/// The entry alone: its leaf is written in the same transaction.
pub(crate) async fn insert(conn: &mut AsyncPgConnection, event: &AuditEvent<'_>) -> Result<(Uuid, [u8; 32])> {
    let at: DateTime<Utc> =
        diesel::select(sql::<Timestamptz>("clock_timestamp()")).get_result(conn).await.or_fault()?;
    let mut salt = [0; SALT_LEN];
    SystemRandom::new()
        .fill(&mut salt)
        .map_err(|_| Fault::internal("the operating system gave no random bytes"))?;
    let id = Uuid::now_v7();
    let (actor, trace_id) = (event.actor.to_string(), telemetry::trace_id(&Span::current()));
    let entry = Entry {
        id,
        at,
        tenant: event.tenant.map(TenantId::as_str),
        actor: &actor,
        action: event.action,
        resource_kind: event.resource_kind,
        resource_id: &event.resource_id,
        outcome: event.outcome.as_str(),
        trace_id: trace_id.as_deref(),
        detail: &event.detail,
    };
    let commitment = entry.commitment(&salt);
    diesel::insert_into(audit_entry::table)
        .values((
            audit_entry::id.eq(entry.id),
            audit_entry::at.eq(entry.at),
            audit_entry::tenant_id.eq(entry.tenant),
            audit_entry::actor.eq(entry.actor),
            audit_entry::action.eq(entry.action),
            audit_entry::resource_kind.eq(entry.resource_kind),
            audit_entry::resource_id.eq(entry.resource_id),
            audit_entry::outcome.eq(entry.outcome),
            audit_entry::trace_id.eq(entry.trace_id),
            audit_entry::detail.eq(entry.detail),
            audit_entry::salt.eq(salt.as_slice()),
            audit_entry::commitment.eq(commitment.as_slice()),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    Ok((id, commitment))
}
