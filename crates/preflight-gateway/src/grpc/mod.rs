//! The gRPC interface: the same use cases as over HTTP.

mod service;
mod views;

pub use service::PreflightRpc;
