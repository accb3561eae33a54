#![doc = include_str!("../README.md")]

mod alphabet;
mod code;
mod gtin;
mod hash;
pub mod link;
mod partition;

pub use code::{Code, CodeError};
pub use gtin::{Gtin, GtinError};
pub use hash::{CodeDigest, Pepper, StoredHash};
pub use partition::Partition;
