//! Entries: one for each act, written in the transaction of the act, and one for each refusal.
//!
//! The login of a service can add entries and read them, and nothing else. Each entry carries a commitment over all its
//! fields: a leaf of the log holds that and no field, so that a published tree says nothing about people.

use std::fmt::Display;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{self, Binary, Jsonb, Nullable, Text, Timestamptz};
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
    write(conn, event, true).await.map(|(id, _commitment)| id)
}

/// The entry alone: its leaf is written in the same transaction.
pub(crate) async fn insert(conn: &mut AsyncPgConnection, event: &AuditEvent<'_>) -> Result<(Uuid, [u8; 32])> {
    write(conn, event, false).await
}

async fn write(
    conn: &mut AsyncPgConnection,
    event: &AuditEvent<'_>,
    pending: bool,
) -> Result<(Uuid, [u8; 32])> {
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
    let (salt, digest) = (salt.as_slice(), commitment.as_slice());
    let rows = Rows { entry: &entry, salt, commitment: digest };
    if pending {
        Both(rows).execute(conn).await.or_fault()?
    } else {
        rows.execute(conn).await.or_fault()?
    };
    Ok((id, commitment))
}

/// The entry's row.
struct Rows<'a> {
    entry: &'a Entry<'a>,
    salt: &'a [u8],
    commitment: &'a [u8],
}

/// The entry's row and its pending one in one statement: every audited act pays for this, and a trip fewer is felt.
struct Both<'a>(Rows<'a>);

impl QueryId for Rows<'_> {
    type QueryId = Rows<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryId for Both<'_> {
    type QueryId = Both<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Pg> for Rows<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let entry = self.entry;
        out.push_sql(
            "INSERT INTO audit_entry (id, at, tenant_id, actor, action, resource_kind, resource_id, outcome, trace_id, \
             detail, salt, commitment) VALUES (",
        );
        out.push_bind_param::<sql_types::Uuid, _>(&entry.id)?;
        out.push_sql(", ");
        out.push_bind_param::<Timestamptz, _>(&entry.at)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&entry.tenant)?;
        for text in [&entry.actor, &entry.action, &entry.resource_kind, &entry.resource_id, &entry.outcome] {
            out.push_sql(", ");
            out.push_bind_param::<Text, _>(text)?;
        }
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&entry.trace_id)?;
        out.push_sql(", ");
        out.push_bind_param::<Jsonb, _>(entry.detail)?;
        for bytes in [&self.salt, &self.commitment] {
            out.push_sql(", ");
            out.push_bind_param::<Binary, _>(bytes)?;
        }
        out.push_sql(")");
        Ok(())
    }
}

impl QueryFragment<Pg> for Both<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH entry AS (");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(" RETURNING id) INSERT INTO audit_pending (entry_id) SELECT id FROM entry");
        Ok(())
    }
}
