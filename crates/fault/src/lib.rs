#![doc = include_str!("../README.md")]

mod chain;
mod fault;
mod kind;

pub use chain::Chain;
pub use fault::Fault;
pub use kind::Kind;

/// The result of anything that can fail in a way that a client has to hear about.
pub type Result<T> = std::result::Result<T, Fault>;
