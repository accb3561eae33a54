//! The store on a real folder and on a real S3-compatible server.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod bucket;
mod erase;
mod fixture;
mod signed;
mod store;
mod tls;
mod versions;
mod writer;
