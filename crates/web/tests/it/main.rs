//! A small edge on a free port, and a client.

#![expect(clippy::unwrap_used, reason = "in a test the panic is the report")]

mod edge;
mod gate;
mod held;
mod lifecycle;
mod limits;
mod requests;
mod telemetry;
