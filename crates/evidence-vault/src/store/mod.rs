//! The only place with diesel and SQL, apart from the crates `audit` and `jobs`.
//!
//! Whatever is done for a caller takes the tenant of the caller's token, and finds nothing of another one.

pub mod keks;
pub mod keys;
pub mod proofs;
pub mod reconciling;
pub mod records;
pub mod rotation;
pub mod schema;
pub mod shredding;

use std::fmt::Display;

use mintmark_fault::{Fault, Result};

/// Reads a stored value that a constraint of the table guarantees; anything else is our mistake, not the client's.
pub(crate) fn stored<T, E: Display>(column: &'static str, parsed: std::result::Result<T, E>) -> Result<T> {
    parsed.map_err(|error| Fault::internal(format!("{column} holds a value that cannot be: {error}")))
}
