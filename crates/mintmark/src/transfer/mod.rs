//! Files that are sent and fetched piece by piece: never whole in memory, with progress, and going on where they broke off.

mod bar;
mod digest;
mod fetch;
mod send;

pub use bar::bar;
pub use digest::Digest;
pub use fetch::{Fetch, fetch, private};
pub use send::{Source, media_type};
