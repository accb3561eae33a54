//! The control plane as a client meets it: the true service on a free port, a fresh Postgres database for each test.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

mod admin;
mod administration;
mod anonymous;
mod apart;
mod api_keys;
mod audit;
mod binary;
mod cancelling;
mod directory;
mod disputes;
mod docs;
mod evidence;
mod evidence_admin;
mod exchange;
mod exports;
mod gateway;
mod idempotency;
mod input;
mod key_look_ups;
mod limits;
mod looks;
mod mint;
mod objects;
mod operations;
mod outage;
mod paging;
mod preflight_sync;
mod preflight_tokens;
mod products;
mod raster;
mod revocation;
mod roles;
mod rotation;
mod s3;
mod scans;
mod schema;
mod serials;
mod sheets;
mod stage;
mod tenancy;
mod tokens;
mod vault;
