//! The control plane as a client meets it: the true service on a free port, a fresh Postgres database for each test.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

mod admin;
mod anonymous;
mod binary;
mod directory;
mod docs;
mod exports;
mod idempotency;
mod input;
mod mint;
mod objects;
mod outage;
mod paging;
mod products;
mod raster;
mod roles;
mod schema;
mod serials;
mod stage;
mod tenancy;
mod tokens;
