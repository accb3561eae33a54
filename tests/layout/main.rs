//! The shape of the workspace, enforced: which crate may depend on which, and what every crate must carry.

mod documents;
mod edges;
