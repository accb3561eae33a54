//! The HTTP edge: the table of routes, and handlers that translate between requests and use cases.

pub mod authenticate;
pub mod jobs;
pub mod limits;
pub mod openapi;
pub mod policies;
pub mod results;
pub mod schemas;
pub mod v2;
pub mod views;
pub mod who;

use mintmark_web::Route;

/// Every route of the gateway; each states who may come in. Words that are no names of jobs come before those.
pub fn routes() -> Vec<Route> {
    [policies::routes(), jobs::routes(), results::routes(), v2::routes(), schemas::routes()]
        .into_iter()
        .flatten()
        .collect()
}
