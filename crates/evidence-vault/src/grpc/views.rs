//! Between messages and what the use cases speak.

use chrono::{DateTime, Utc};
use mintmark_audit::log::{Query, Recorded};
use mintmark_fault::{Fault, Result};
use mintmark_wire::evidence::v1 as wire;
use prost_types::Timestamp;
use uuid::Uuid;

use crate::app::operations::{Kind, Operation};
use crate::app::proof::ErasureProof;
use crate::app::record::{Record, State, SubjectKind};

/// Items of a page when nothing is said, and the most.
const PAGE: (u32, u32) = (50, 200);

/// An id of the request's.
///
/// # Errors
/// 404: an id that none can be names nothing.
pub fn id<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T> {
    text.parse().map_err(|_| Fault::not_found(what))
}

/// How many, and below which.
///
/// # Errors
/// 400 `PAGE_SIZE_OUT_OF_RANGE`, `PAGE_TOKEN_INVALID`.
pub fn page(size: u32, token: &str) -> Result<(usize, Option<Uuid>)> {
    let size = if size == 0 { PAGE.0 } else { size };
    if size > PAGE.1 {
        let sentence = format!("pageSize must be from 1 to {}, or 0 for {}", PAGE.1, PAGE.0);
        return Err(Fault::invalid("PAGE_SIZE_OUT_OF_RANGE", "pageSize", sentence));
    }
    let below = match token {
        "" => None,
        token => Some(Uuid::try_parse(token).map_err(|_| {
            let sentence = "pageToken must be one that a page answered, or empty";
            Fault::invalid("PAGE_TOKEN_INVALID", "pageToken", sentence)
        })?),
    };
    Ok((size as usize, below))
}

/// A page out of one item more than it holds, and the token of the next.
pub fn cut<T>(mut items: Vec<T>, size: usize, id: impl Fn(&T) -> Uuid) -> (Vec<T>, String) {
    let more = items.len() > size;
    items.truncate(size);
    let next = items.last().filter(|_| more).map(|last| id(last).simple().to_string());
    (items, next.unwrap_or_default())
}

/// A record.
pub fn evidence(record: Record) -> wire::Evidence {
    let subject_kind = match record.subject.kind {
        SubjectKind::Dispute => wire::SubjectKind::Dispute,
        SubjectKind::Slash => wire::SubjectKind::Slash,
    };
    let state = match record.state {
        State::Uploading => wire::EvidenceState::Unspecified,
        State::Stored => wire::EvidenceState::Stored,
        State::Shredding => wire::EvidenceState::Shredding,
        State::Shredded => wire::EvidenceState::Shredded,
    };
    let erased = record.state == State::Shredded;
    wire::Evidence {
        evidence_id: record.id.to_string(),
        subject_kind: subject_kind.into(),
        subject_id: record.subject.id,
        media_type: record.media_type,
        bytes: record.bytes,
        ciphertext_sha256: record
            .ciphertext_sha256
            .filter(|_| !erased)
            .map(|digest| digest.to_vec())
            .unwrap_or_default(),
        uploaded_by: record.uploaded_by,
        created_at: Some(timestamp(record.created_at)),
        expires_at: Some(timestamp(record.expires_at)),
        legal_hold: record.legal_hold,
        state: state.into(),
        shredded_at: record.shredded_at.map(timestamp),
    }
}

/// What proves an erasure.
pub fn erasure(evidence_id: String, proof: ErasureProof) -> wire::GetErasureProofResponse {
    wire::GetErasureProofResponse {
        evidence_id,
        proof: proof.proof,
        recovery_proofs: proof.recovery,
        key_certificates: proof.certificates,
        assurance: proof.assurance.as_str().to_owned(),
        keys_destroyed: proof.keys_destroyed,
    }
}

/// Which entries.
///
/// # Errors
/// 400 `TIME_OUT_OF_RANGE`.
pub fn query(message: &wire::ListAuditEntriesRequest) -> Result<Query> {
    Ok(Query {
        actor: message.actor.clone(),
        action: message.action.clone(),
        resource_kind: message.resource_kind.clone(),
        resource_id: message.resource_id.clone(),
        from: message.from.as_ref().map(|at| time("from", at)).transpose()?,
        to: message.to.as_ref().map(|at| time("to", at)).transpose()?,
    })
}

/// An entry, and where the log of this name holds it.
pub fn entry(origin: &str, entry: Recorded) -> wire::AuditEntry {
    wire::AuditEntry {
        entry_id: entry.id.to_string(),
        at: Some(timestamp(entry.at)),
        actor: entry.actor,
        action: entry.action,
        resource_kind: entry.resource_kind,
        resource_id: entry.resource_id,
        outcome: entry.outcome,
        trace_id: entry.trace_id.unwrap_or_default(),
        detail: entry.detail.to_string(),
        leaf: entry.position.map(|position| wire::LeafPosition {
            origin: format!("{origin}/{}", position.epoch),
            index: position.index,
            tenant_number: position.tenant_number,
        }),
    }
}

/// Which work.
///
/// # Errors
/// 400 `OPERATION_KIND_INVALID`.
pub fn operation_kind(kind: wire::OperationKind) -> Result<Kind> {
    match kind {
        wire::OperationKind::Retention => Ok(Kind::Retention),
        wire::OperationKind::RotateKeys => Ok(Kind::RotateKeys),
        wire::OperationKind::RecomputeRetention => Ok(Kind::RecomputeRetention),
        wire::OperationKind::Unspecified => {
            let sentence = "kind is one of retention, rotate keys and recompute retention";
            Err(Fault::invalid("OPERATION_KIND_INVALID", "kind", sentence))
        }
    }
}

/// Work as it stands.
pub fn operation(operation: Operation) -> wire::Operation {
    let kind = match operation.kind {
        Kind::Retention => wire::OperationKind::Retention,
        Kind::RotateKeys => wire::OperationKind::RotateKeys,
        Kind::RecomputeRetention => wire::OperationKind::RecomputeRetention,
    };
    wire::Operation {
        operation_id: operation.id.to_string(),
        kind: kind.into(),
        state: operation.state.as_str().to_owned(),
        done: operation.done,
        total: operation.total,
        last_error: operation.last_error.unwrap_or_default(),
    }
}

fn timestamp(at: DateTime<Utc>) -> Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or_default();
    Timestamp { seconds: at.timestamp(), nanos }
}

/// A time that a database can hold.
fn time(field: &'static str, at: &Timestamp) -> Result<DateTime<Utc>> {
    /// The last second of the year 9999.
    const LAST: i64 = 253_402_300_799;
    u32::try_from(at.nanos)
        .ok()
        .filter(|_| (0..=LAST).contains(&at.seconds))
        .and_then(|nanos| DateTime::from_timestamp(at.seconds, nanos))
        .ok_or_else(|| {
            let sentence = format!("{field} must be a time from 1970 to 9999");
            Fault::invalid("TIME_OUT_OF_RANGE", field, sentence)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_takes_what_a_page_gave_and_nothing_else() {
        let ids = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
        let (items, token) = cut(ids.to_vec(), 2, |id| *id);
        assert_eq!(page(0, &token).unwrap(), (50, Some(items[1])));
        assert_eq!(cut(ids.to_vec(), 3, |id| *id).1, "");
        assert_eq!(page(201, "").unwrap_err().code(), "PAGE_SIZE_OUT_OF_RANGE");
        assert_eq!(page(1, "next").unwrap_err().code(), "PAGE_TOKEN_INVALID");
    }
}
