//! What the service does: names, limits, the decision, and what is remembered of refusals.

pub mod envoy;
pub mod limiter;
pub mod limits;
pub mod names;
mod outcomes;
mod over_limit;
