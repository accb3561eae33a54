#![doc = include_str!("../README.md")]

mod background;
pub mod config;
mod context;
pub mod gather;
mod health;
mod launch;
pub mod limit;
mod listen;
pub mod network;
pub mod ops;
pub mod reload;
mod shutdown;
mod start_error;
pub mod telemetry;
pub mod tls;

pub use background::spawn_background;
pub use context::{Context, spawn_named};
pub use health::{Gate, Health};
pub use launch::{Ask, Launch, Options, Standard, launch};
pub use listen::{Reserved, listen, reserve};
pub use shutdown::Shutdown;
pub use start_error::StartError;

/// Makes ring the process's only source of TLS cryptography; the first call wins, further ones change nothing.
///
/// `launch` calls it first of all; a test that builds an HTTP client calls it itself, because a client built before it panics.
pub fn install_crypto() {
    // The error only says that a provider is installed already, which is what we want.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
}
