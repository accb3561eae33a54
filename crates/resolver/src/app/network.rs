//! Address blocks: which proxies are trusted, and how little of a visitor's address is kept.

pub use mintmark_service::network::{Network, visitor_address};
