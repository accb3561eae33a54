//! The gRPC edge: authorises, translates, and asks the limiter.

mod envoy;
mod service;

pub use envoy::EnvoyRpc;
pub use service::RatelimitRpc;
