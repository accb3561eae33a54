//! The gRPC interface.

mod service;
mod status;
mod views;

pub use service::EvidenceRpc;
