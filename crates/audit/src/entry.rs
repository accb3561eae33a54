//! What an entry says, and the commitment that stands for it in the log.

use chrono::{DateTime, Utc};
use ring::digest::{Context, SHA256};
use serde_json::Value;
use uuid::Uuid;

/// Keeps these commitments apart from whatever else is hashed, and says which canonical form they are over.
const DOMAIN: &[u8] = b"mintmark:audit-entry:v1\0";

/// Bytes of the salt.
pub const SALT_LEN: usize = 16;

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
