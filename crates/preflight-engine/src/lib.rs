#![doc = include_str!("../README.md")]

pub mod budget;
pub mod content;
pub mod decode;
pub mod envelope;
pub mod facts;
pub mod policy;
pub mod read;
pub mod tables;

pub use budget::{Budgets, Meter};
pub use facts::Facts;
pub use read::read;

/// Version of the engine: facts are kept per content hash and this. Raise it whenever the same bytes may give other facts.
pub const ENGINE_VERSION: &str = env!("CARGO_PKG_VERSION");
