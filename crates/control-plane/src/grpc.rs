//! The gRPC edge: what other services of the platform ask.

mod preflight_tokens;

pub use preflight_tokens::PreflightTokenRpc;
