//! What travels between the services, recorded and decoded: no credential of a person or of the operator.
//!
//! `leaks.rs` plants a secret in each way in which the protocols could hide one, and sees it caught: that proves the recorder.
//! `journey.rs` then sends real processes through the recorder, and finds none; `incident.rs` does it with the sync of
//! preflight jobs, whose incident the contract tells of, and makes the old mistake to see it caught. A further pair of services gets a recorder in
//! `platform.rs`, and in `journey.rs` the calls that must be seen on it and the fields that they may carry.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod credentials;
mod evidence;
mod incident;
mod journey;
mod leaks;
mod platform;
mod sink;
mod traveller;
mod vault;
