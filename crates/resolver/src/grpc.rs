//! The directory's gRPC interface.

mod service;
mod views;

pub use service::DirectoryRpc;
