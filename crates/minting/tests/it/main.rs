//! The crate from outside: what it draws is read by somebody else's reader, what it makes by `codes`.

#![expect(clippy::unwrap_used, reason = "the functions that tests share are tests too")]

mod journey;
mod symbol;
