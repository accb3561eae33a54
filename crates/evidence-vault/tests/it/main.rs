//! The vault as its clients meet it: a true service on a free port, a fresh Postgres database for each test, a folder or a
//! bucket, a sequencer beside it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod audit;
mod binary;
mod drill;
mod hold;
mod keks;
mod keys;
mod lifecycle;
mod operate;
mod outage;
mod people;
mod process;
mod read;
mod schema;
mod stage;
mod store;
mod tamper;
#[path = "../keys/token.rs"]
mod token;
mod upload;
