//! What the control plane does, a file a use case: authorise, then one transaction. No web framework, no SQL.

pub mod access;
pub mod admin;
pub mod api_keys;
pub mod audit_exports;
pub mod batches;
pub mod brands;
pub mod cancel;
pub mod check;
pub mod destination;
pub mod events;
pub mod exports;
pub mod idempotency;
pub mod memberships;
pub mod mint;
pub mod pack;
pub mod preflight_tokens;
pub mod presentation;
pub mod products;
pub mod revoke;
pub mod rights;
pub mod scans;
pub mod secrets;
pub mod sessions;
pub mod tenants;
pub mod tokens;
pub mod users;
