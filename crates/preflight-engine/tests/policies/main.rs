//! Policies over facts: what is published, what is refused, and what fixtures come to.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/pdf.rs"]
mod pdf;

mod cases;
mod fixtures;
mod golden;
mod judging;
mod oracles;
mod refusals;
