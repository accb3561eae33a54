//! The table of public routes, and how a request becomes a scan.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::http::Method;
use actix_web::http::header::{ACCEPT, AsHeaderName, HeaderMap, HeaderValue, USER_AGENT};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use mintmark_codes::{Code, Gtin};
use mintmark_web::{Access, Route};

use super::answers;
use super::negotiate::Form;
use crate::app::network::{Network, visitor_address};
use crate::app::scan::{Scanner, Visitor};
use crate::app::visitor::{DeviceClass, Signals};

/// What the handlers need.
pub struct ScanSite {
    /// Answers scans.
    pub scanner: Scanner,
    /// Proxies whose word about the visitor's address is believed.
    pub trusted_proxies: Vec<Network>,
}

/// The table. Everything is public: a scan needs no account.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/", Access::Public, welcome),
        Route::head("/", Access::Public, welcome),
        Route::get("/favicon.ico", Access::Public, absent),
        Route::get("/robots.txt", Access::Public, absent),
        Route::get("/01/{gtin}/21/{code}", Access::Public, by_link),
        Route::head("/01/{gtin}/21/{code}", Access::Public, by_link),
        Route::get("/{code}", Access::Public, by_code),
        Route::head("/{code}", Access::Public, by_code),
    ]
}

async fn welcome() -> HttpResponse {
    answers::welcome()
}

/// What browsers ask for unbidden.
async fn absent() -> HttpResponse {
    HttpResponse::NotFound().finish()
}

async fn by_link(request: HttpRequest, site: Data<ScanSite>) -> HttpResponse {
    let form = Form::preferred(header(request.headers(), &ACCEPT));
    let gtin = match Gtin::parse14(request.match_info().query("gtin")) {
        Ok(gtin) => gtin,
        Err(error) => return answers::malformed("GTIN_MALFORMED", "gtin", error.to_string(), form),
    };
    scan(&request, &site, form, Some(&gtin)).await
}

async fn by_code(request: HttpRequest, site: Data<ScanSite>) -> HttpResponse {
    let form = Form::preferred(header(request.headers(), &ACCEPT));
    scan(&request, &site, form, None).await
}

async fn scan(request: &HttpRequest, site: &ScanSite, form: Form, gtin: Option<&Gtin>) -> HttpResponse {
    let code = match Code::parse(request.match_info().query("code")) {
        Ok(code) => code,
        Err(error) => return answers::malformed("CODE_MALFORMED", "code", error.to_string(), form),
    };
    let visitor = visitor(request, &site.trusted_proxies);
    let verdict = site.scanner.scan(&code, gtin, visitor).await;
    answers::answer(&verdict, form, &code, request.query_string())
}

fn visitor(request: &HttpRequest, trusted_proxies: &[Network]) -> Visitor {
    let headers = request.headers();
    let user_agent = headers.get(USER_AGENT).map_or(&b""[..], |value| value.as_bytes());
    let purpose = ["sec-purpose", "purpose", "x-purpose", "x-moz"]
        .iter()
        .find_map(|name| headers.get(*name))
        .map(HeaderValue::as_bytes);
    let signals = Signals { user_agent, purpose, head: request.method() == Method::HEAD };
    if !signals.is_person() {
        return Visitor::Machine;
    }
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let forwarded = headers.get("x-forwarded-for").and_then(|value| value.to_str().ok());
    Visitor::Person {
        device: DeviceClass::of(user_agent),
        network: Network::coarse(visitor_address(peer, forwarded, trusted_proxies)),
    }
}

fn header(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
