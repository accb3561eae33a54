//! What the resolver does, a file a use case, without a framework.

pub mod bots;
pub mod cache;
pub mod close_publication;
pub mod destination;
pub mod directory;
pub mod directory_state;
pub mod follow;
pub mod geo;
pub mod get_publication;
pub mod look;
pub mod metrics;
pub mod network;
pub mod open_publication;
pub mod peppers;
pub mod publication;
pub mod publish;
pub mod put_product;
pub mod retention;
pub mod revoke;
pub mod revoked_serials;
pub mod scan;
pub mod summaries;
pub mod telemetry;
pub mod verdict;
pub mod visitor;
