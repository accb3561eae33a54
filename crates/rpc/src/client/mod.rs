//! Our own services as Rust functions.

mod directory;
mod ratelimit;

pub use directory::{Acknowledgements, Directory};
pub use ratelimit::{Decision, LimitKey, LimitPolicy, LimitRequest, Owner, Ratelimit, metric_key_ids};
