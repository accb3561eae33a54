#![doc = include_str!("../README.md")]

mod authority;
mod bucket;
mod config;
mod erase;
mod failure;
mod intake;
mod keep;
mod leftovers;
mod path;
mod presign;
mod signer;
mod store;
mod writer;

pub use config::StoreConfig;
pub use failure::fault_of_io;
pub use intake::{Content, Intake, IntakeConfig, Pinned, Target};
pub use keep::Created;
pub use path::{CACHE_CONTROL, attachment, content_type};
pub use signer::{LinkProof, LocalSigner, SignedUrl};
pub use store::{Meta, Object, Store};
pub use writer::{ObjectWriter, Written};
