//! The crate from outside: configuration, operations port, log lines, and a whole process from start to signal.

#![expect(clippy::unwrap_used, reason = "in a test the panic is the report")]

mod config;
mod log_lines;
mod ops;
mod process;
