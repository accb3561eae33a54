//! The public HTTP of the scan role.

mod answers;
mod negotiate;
mod page;
mod pages;
mod routes;

pub use routes::{ScanSite, routes};
