//! The public HTTP of the scan role.

mod answers;
mod language;
mod negotiate;
mod page;
mod pages;
mod routes;
mod same_origin;

pub use answers::private_headers;
pub use routes::{ScanSite, elsewhere, routes};
