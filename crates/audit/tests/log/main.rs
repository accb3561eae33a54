//! The log on a real database and a real store, its sequencers as processes that are killed and stopped.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod exported;
mod faults;
mod process;
mod restored;
mod sequenced;
mod world;
