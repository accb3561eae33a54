//! What `read` says of files made for one purpose each: structure, damage, the catalog and what hangs on it. Elements of pages
//! have tests of their own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/pdf.rs"]
mod pdf;

mod catalog;
mod damage;
mod hostile;
mod mutations;
mod pages;
mod press;

use mintmark_preflight_engine::{Budgets, Facts};

/// Facts of a file, with the default budgets.
fn facts(bytes: Vec<u8>) -> Facts {
    mintmark_preflight_engine::read(bytes, &Budgets::default())
}

/// The kinds of damage, in order.
fn kinds(facts: &Facts) -> Vec<&str> {
    facts.file.damage.iter().map(|damage| damage.kind.as_str()).collect()
}
