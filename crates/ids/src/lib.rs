#![doc = include_str!("../README.md")]

mod base32;
mod error;
mod refusal;
mod service_name;
mod tenant;
mod typed;

pub use error::IdError;
pub use refusal::{RULE_FOLLOWS, refused};
pub use service_name::ServiceName;
pub use tenant::TenantId;
pub use typed::{
    ApiKeyId, BatchId, BrandId, DisputeId, EventId, EvidenceId, ExportId, JobId, KekId, MembershipId,
    ProductId, UserId,
};
