//! Forged, stolen and misdirected credentials against every route and RPC of the running services.
//!
//! [`stage`] runs the services and knows every door they have; [`walk`] holds the doors against the policy; [`matrix`]
//! tries every attack of [`forge`] on every door, and [`witness`] looks at what that left behind; [`raw`] sends what no
//! HTTP library would.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod evidence;
mod forge;
mod leaks;
mod matrix;
mod raw;
mod stage;
mod walk;
mod witness;
