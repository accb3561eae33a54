//! The shape of the workspace, enforced: which crate may depend on which, and what every crate must carry.

#![expect(clippy::expect_used, reason = "a layout that cannot be read is a failed test")]

mod documents;
mod edges;
mod migrations;
mod store;
