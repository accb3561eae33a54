//! The directory's gRPC interface.

mod service;
mod summaries;
mod views;

pub use service::DirectoryRpc;
