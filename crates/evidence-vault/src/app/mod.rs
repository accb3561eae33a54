//! What the vault does, a file a use case, without a framework.

pub mod access;
pub mod audit;
pub mod evidence;
pub mod hold;
pub mod keks;
pub mod lifecycle;
pub mod media;
pub mod metadata;
pub mod operations;
pub mod proof;
pub mod read;
pub mod record;
pub mod upload;

use mintmark_ids::{EvidenceId, TenantId};

use crate::provider::canonical;

/// The suite: another format of content gets another name, and neither opens the other's.
const SUITE: &str = "mintmark:evidence:v1";

/// What a record's content is bound to.
pub fn content_context(tenant: &TenantId, record: EvidenceId) -> Vec<u8> {
    context(tenant, record, b"content")
}

/// What the digest of a record's content is bound to.
pub fn digest_context(tenant: &TenantId, record: EvidenceId) -> Vec<u8> {
    context(tenant, record, b"digest")
}

fn context(tenant: &TenantId, record: EvidenceId, purpose: &[u8]) -> Vec<u8> {
    canonical(SUITE, &[tenant.as_str().as_bytes(), record.to_string().as_bytes(), purpose])
}
