//! Every credential as its attacker would send it, and the policy as a person would read it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod control;
mod exchange;
mod forge;
mod key_rings;
mod person_calls;
mod policy;
mod preflight;
mod service_tokens;
mod sessions;
mod trust;
