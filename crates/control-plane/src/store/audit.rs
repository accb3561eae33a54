//! The audit: an entry for each act, written in the transaction of the act, and one for each refusal.
//!
//! The login of this service can add entries and read them, and nothing else. Each entry carries a commitment over all
//! its fields: the leaf of the audit tree will hold that and no field, so that a published tree says nothing about people.

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
use ring::digest::{Context, SHA256};
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use serde_json::Value;
use tracing::Span;
use uuid::Uuid;

use super::schema::{audit_entry, audit_pending};

/// Keeps these commitments apart from whatever else is hashed, and says which canonical form they are over.
const DOMAIN: &[u8] = b"mintmark:audit-entry:v1\0";

/// Bytes of the salt.
const SALT_LEN: usize = 16;

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

/// Writes an entry, and notes that the tree does not hold it yet. Call it in the transaction of the act.
pub async fn record(conn: &mut AsyncPgConnection, event: &AuditEvent<'_>) -> Result<Uuid> {
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
            audit_entry::commitment.eq(entry.commitment(&salt).as_slice()),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    diesel::insert_into(audit_pending::table)
        .values(audit_pending::entry_id.eq(id))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(id)
}

/// The fields that a commitment covers.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Time-ordered.
    pub id: Uuid,
    /// By the database's clock.
    pub at: DateTime<Utc>,
    /// Whose things.
    pub tenant: Option<&'a str>,
    /// In whose name.
    pub actor: &'a str,
    /// What.
    pub action: &'a str,
    /// To what kind of thing.
    pub resource_kind: &'a str,
    /// To which one.
    pub resource_id: &'a str,
    /// `allowed` or `refused`.
    pub outcome: &'a str,
    /// The request's trace.
    pub trace_id: Option<&'a str>,
    /// Further facts.
    pub detail: &'a Value,
}

impl Entry<'_> {
    /// SHA-256 over domain, salt and fields in the order of the struct. Each field is a byte 1, its length as eight bytes
    /// (most significant first) and its bytes; an absent one is a byte 0. The id is its 16 bytes; the time is microseconds
    /// since 1970 as eight bytes, which is all that Postgres keeps; the detail is JSON without spaces and with sorted names.
    pub fn commitment(&self, salt: &[u8; SALT_LEN]) -> [u8; 32] {
        let mut hash = Context::new(&SHA256);
        hash.update(DOMAIN);
        hash.update(salt);
        let mut field = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => {
                hash.update(&[1]);
                hash.update(&(bytes.len() as u64).to_be_bytes());
                hash.update(bytes);
            }
            None => hash.update(&[0]),
        };
        field(Some(self.id.as_bytes()));
        field(Some(&self.at.timestamp_micros().to_be_bytes()));
        field(self.tenant.map(str::as_bytes));
        for text in [self.actor, self.action, self.resource_kind, self.resource_id, self.outcome] {
            field(Some(text.as_bytes()));
        }
        field(self.trace_id.map(str::as_bytes));
        let mut detail = String::new();
        canonical(self.detail, &mut detail);
        field(Some(detail.as_bytes()));
        let mut commitment = [0; 32];
        commitment.copy_from_slice(hash.finish().as_ref());
        commitment
    }
}

/// Names are sorted here: neither `jsonb` nor serde_json promises an order.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| name.as_str());
            text.push('{');
            for (at, (name, member)) in members.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                canonical(member, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                canonical(item, text);
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn commitment_depends_on_every_field_and_the_salt() {
        let (detail, other) = (json!({ "units": 3 }), json!({ "units": 4 }));
        let base = Entry {
            id: Uuid::nil(),
            at: DateTime::UNIX_EPOCH,
            tenant: Some("acme"),
            actor: "control-token",
            action: "BATCH_CREATED",
            resource_kind: "batch",
            resource_id: "bat_1",
            outcome: "allowed",
            trace_id: None,
            detail: &detail,
        };
        let variants = [
            base.clone(),
            Entry { id: Uuid::max(), ..base.clone() },
            Entry { at: DateTime::from_timestamp_micros(1).unwrap(), ..base.clone() },
            Entry { tenant: None, ..base.clone() },
            Entry { tenant: Some("acm"), actor: "econtrol-token", ..base.clone() },
            Entry { action: "BATCH_CREATE", resource_kind: "Dbatch", ..base.clone() },
            Entry { resource_id: "bat_2", ..base.clone() },
            Entry { outcome: "refused", ..base.clone() },
            Entry { trace_id: Some(""), ..base.clone() },
            Entry { detail: &other, ..base.clone() },
        ];
        let mut all: Vec<_> = variants.iter().map(|entry| entry.commitment(&[0; SALT_LEN])).collect();
        all.push(base.commitment(&[1; SALT_LEN]));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), variants.len() + 1);
    }

    #[test]
    fn canonical_form_does_not_depend_on_the_order_of_names() {
        let write = |value: &Value| {
            let mut text = String::new();
            canonical(value, &mut text);
            text
        };
        let given: Value = serde_json::from_str(r#"{"bb": [1, {"z": null, "a": "\""}], "a": true}"#).unwrap();
        assert_eq!(write(&given), r#"{"a":true,"bb":[1,{"a":"\"","z":null}]}"#);
    }
}
