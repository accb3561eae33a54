//! The only place with SQL. `product`, `publication`, `chunk` and `revocation` belong to the directory role; `scan`,
//! `state` and `scan_event` to the scan role, whose login could not use the others.

pub mod chunk;
pub mod copy;
mod find;
pub mod image;
pub mod product;
pub mod publication;
pub mod revocation;
pub mod scan;
pub mod scan_event;
pub mod scan_partition;
mod schema;
mod state;
pub mod summaries;
