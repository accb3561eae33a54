#![doc = include_str!("../README.md")]

mod config;
mod failure;
mod leftovers;
mod path;
mod signer;
mod store;
mod writer;

pub use config::StoreConfig;
pub use failure::fault_of_io;
pub use signer::{LocalSigner, SignedUrl};
pub use store::{Meta, Object, Store};
pub use writer::{ObjectWriter, Written};
