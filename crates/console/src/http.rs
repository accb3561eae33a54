//! The edge: one route of the contract, and pages for people.

mod api;
mod cookie;
mod pages;
mod say;
mod view;

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use mintmark_web::{Access, Edge, Route};

use crate::app::desk::Desk;
use crate::http::api::Gate;
use crate::http::cookie::Cookies;

/// Pages bring everything with them and are framed by nobody.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// The edge with all its routes.
pub fn edge(desk: Desk, secure_cookies: bool) -> Edge {
    let header = |name: HeaderName, value: &'static str| (name, HeaderValue::from_static(value));
    let headers = [
        header(CONTENT_SECURITY_POLICY, POLICY),
        header(REFERRER_POLICY, "no-referrer"),
        header(X_FRAME_OPTIONS, "DENY"),
    ];
    let edge = Edge::new("console", routes())
        .address_variable("CONSOLE_HTTP_ADDR")
        .authenticate(Arc::new(Gate(desk.clone())))
        .data(desk)
        .data(Cookies { secure: secure_cookies })
        .not_found(pages::unknown);
    headers.into_iter().fold(edge, |edge, (name, value)| edge.header(name, value))
}

/// The table of routes. Pages are `Public` to the gate: who has no cookie with a good token is sent to the form, and
/// nothing but a [`crate::app::desk::Visitor`] reaches the gateway.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/preflight/jobs/policies", Access::Preflight, api::policies),
        Route::get("/", Access::Public, pages::welcome),
        Route::post("/sign-in", Access::Public, pages::sign_in).body_limit(8 * 1024),
        Route::post("/sign-out", Access::Public, pages::sign_out).body_limit(1024),
        Route::get("/jobs", Access::Public, pages::jobs),
        Route::get("/jobs/{jobId}", Access::Public, pages::job),
        Route::get("/policies", Access::Public, pages::policies),
        Route::get("/console.css", Access::Public, style),
    ]
}

async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .body(include_str!("../assets/console.css"))
}
