#![doc = include_str!("../README.md")]

mod secret;
pub mod symbol;
mod wrap;

pub use secret::{BatchSecret, Deriver};
pub use wrap::{CodeMasterKey, UnwrapError, WrappedSecret};
