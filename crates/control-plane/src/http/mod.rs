//! The HTTP edge: the table of routes, and handlers that translate between requests and use cases.

pub mod admin;
pub mod api_keys;
pub mod audit_exports;
pub mod authenticate;
pub mod batches;
pub mod brands;
pub mod disputes;
pub mod events;
pub mod evidence;
pub mod evidence_admin;
pub mod exports;
pub mod idempotency;
pub mod limits;
pub mod memberships;
pub mod objects;
pub mod openapi;
pub mod operations;
pub mod paging;
pub mod preflight_sync;
pub mod preflight_tokens;
pub mod presentation;
pub mod products;
pub mod scans;
pub mod sessions;
pub mod tenants;
pub mod tokens;
pub mod users;
pub mod wellknown;

use mintmark_web::Route;

/// Every route of the control plane; each states who may come in.
pub fn routes() -> Vec<Route> {
    [
        tenants::routes(),
        users::routes(),
        memberships::routes(),
        sessions::routes(),
        brands::routes(),
        api_keys::routes(),
        admin::routes(),
        audit_exports::routes(),
        preflight_tokens::routes(),
        preflight_sync::routes(),
        products::routes(),
        presentation::routes(),
        batches::routes(),
        operations::routes(),
        tokens::routes(),
        events::routes(),
        disputes::routes(),
        evidence::routes(),
        evidence_admin::routes(),
        scans::routes(),
        exports::routes(),
        objects::routes(),
        wellknown::routes(),
        openapi::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
