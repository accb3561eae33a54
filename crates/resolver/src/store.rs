//! The only place with SQL. `product`, `publication` and `chunk` belong to the directory role; `scan`, `state` and
//! `scan_event` to the scan role, whose login could not use the others.

pub mod chunk;
pub mod copy;
pub mod product;
pub mod publication;
pub mod scan;
pub mod scan_event;
mod schema;
mod state;
