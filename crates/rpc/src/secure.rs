//! Connections between services: mutual TLS where a certificate is configured, and whom a connection is from.

mod connect;
mod incoming;
mod target;

pub(crate) use connect::{connector, secured};
pub(crate) use incoming::{Connection, Peer, incoming};
pub use target::Target;
