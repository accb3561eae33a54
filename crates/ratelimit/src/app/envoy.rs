//! Envoy's question: descriptors in, a decision over all of them out, on the same counters as everybody's.
//!
//! `rules.rs` is the file that says what a descriptor means, `plan.rs` makes counters of the descriptors of one request, and
//! `decision.rs` charges them, all or none.

mod decision;
mod plan;
mod rules;

pub use decision::{EnvoyAnswer, EnvoyLimiter, Status, StatusLimit};
pub use plan::Descriptor;
pub use rules::{Domain, RuleStore, RulesError, Unit};
