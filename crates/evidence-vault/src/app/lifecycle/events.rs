//! Audit entries of the lifecycle.

use diesel_async::AsyncPgConnection;
use mintmark_audit::AuditEvent;
use mintmark_auth::Actor;
use mintmark_fault::Result;
use mintmark_ids::{EvidenceId, KekId, TenantId};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::store::keks::{Kek, Purpose};

/// Something that happened to a record.
pub(super) async fn of_record(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    actor: &Actor,
    action: &'static str,
    record: EvidenceId,
    detail: Value,
) -> Result<()> {
    let event = AuditEvent::allowed(Some(tenant), actor, action, ("evidence", record), detail);
    mintmark_audit::record(conn, &event).await.map(drop)
}

/// Something that happened to a key.
pub(super) async fn of_kek(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    actor: &Actor,
    action: &'static str,
    kek: KekId,
    detail: Value,
) -> Result<()> {
    let event = AuditEvent::allowed(Some(tenant), actor, action, ("kek", kek), detail);
    mintmark_audit::record(conn, &event).await.map(drop)
}

/// For what a key is.
pub(super) fn purpose(kek: &Kek, provider: &str) -> Value {
    match kek.purpose {
        Purpose::Period { start, end } => {
            json!({ "provider": provider, "for": { "from": start.to_string(), "to": end.to_string() } })
        }
        Purpose::Hold { record } => {
            json!({ "provider": provider, "for": { "evidence": record.to_string() } })
        }
    }
}

/// A proof and its SHA-256 in hexadecimal digits: whoever has the proof finds its entry by it.
pub(super) fn proof(jwt: &str) -> Value {
    let sha256 = digest(&SHA256, jwt.as_bytes());
    json!({ "proof": jwt, "proofSha256": hex(sha256.as_ref()) })
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
