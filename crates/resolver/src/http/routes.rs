//! The table of public routes, and how a request becomes a scan.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::http::Method;
use actix_web::http::header::{HeaderValue, USER_AGENT};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use mintmark_codes::{Code, Gtin};
use mintmark_fault::Fault;
use mintmark_web::{Access, Answer, PathOf, Problem, Route};

use super::answers;
use super::negotiate::Reader;
use super::same_origin;
use crate::app::bots::Bots;
use crate::app::geo::Geo;
use crate::app::look::Images;
use crate::app::network::{Network, visitor_address};
use crate::app::scan::{Intent, Scanner, Visitor};
use crate::app::visitor::Signals;

/// What the handlers need.
pub struct ScanSite {
    /// Answers scans.
    pub scanner: Scanner,
    /// Serves what the page shows.
    pub images: Images,
    /// Knows crawlers and previewers.
    pub bots: Bots,
    /// Knows countries.
    pub geo: Geo,
    /// Proxies whose word about the visitor's address is believed.
    pub trusted_proxies: Vec<Network>,
}

/// The table. Everything is public: a scan needs no account.
pub fn routes() -> Vec<Route> {
    vec![
        // First, because paths are tried in this order and nearly all that come are of this form.
        Route::get("/01/{gtin}/21/{code}", Access::Public, scan),
        Route::head("/01/{gtin}/21/{code}", Access::Public, scan),
        Route::post("/01/{gtin}/21/{code}", Access::Public, confirm),
        Route::get("/", Access::Public, welcome),
        Route::head("/", Access::Public, welcome),
        Route::get("/favicon.ico", Access::Public, absent),
        Route::get("/robots.txt", Access::Public, absent),
        Route::get("/-/images/{name}", Access::Public, image),
        Route::head("/-/images/{name}", Access::Public, image),
        Route::get("/{code}", Access::Public, scan),
        Route::head("/{code}", Access::Public, scan),
        Route::post("/{code}", Access::Public, confirm),
    ]
}

async fn welcome(request: HttpRequest) -> HttpResponse {
    answers::welcome(Reader::of(request.headers()).language())
}

/// What browsers ask for unbidden.
async fn absent() -> HttpResponse {
    HttpResponse::NotFound().finish()
}

/// A brand's logo, or the picture of a product.
async fn image(name: PathOf<String>, site: Data<ScanSite>) -> Answer {
    let (format, content) = site.images.find(&name).await?.ok_or_else(|| Fault::not_found("image"))?;
    Ok(answers::image(format, content))
}

async fn scan(request: HttpRequest, site: Data<ScanSite>) -> HttpResponse {
    let reader = Reader::of(request.headers());
    let (code, gtin) = match subject(&request) {
        Ok(subject) => subject,
        Err(fault) => return answers::malformed(fault, reader),
    };
    let visitor = visitor(&request, &site);
    let verdict = site.scanner.scan(&code, gtin.as_ref(), visitor, Intent::Scan).await;
    answers::answer(&verdict, reader, &code, request.uri())
}

/// The button of the page was pressed.
async fn confirm(request: HttpRequest, site: Data<ScanSite>) -> HttpResponse {
    if let Err(fault) = same_origin::check(request.headers()) {
        return HttpResponse::from_error(Problem(fault));
    }
    let reader = Reader::of(request.headers());
    let (code, gtin) = match subject(&request) {
        Ok(subject) => subject,
        Err(fault) => return answers::malformed(fault, reader),
    };
    let visitor = visitor(&request, &site);
    let verdict = site.scanner.scan(&code, gtin.as_ref(), visitor, Intent::Confirm).await;
    answers::confirmed(&verdict, reader, &code, request.uri())
}

/// The code that the path names, and the GTIN where it names one.
fn subject(request: &HttpRequest) -> Result<(Code, Option<Gtin>), Fault> {
    let path = request.match_info();
    let gtin = path.get("gtin").map(Gtin::parse14).transpose();
    let gtin = gtin.map_err(|error| Fault::invalid("GTIN_MALFORMED", "gtin", error.to_string()))?;
    let code = Code::parse(path.query("code"));
    let code = code.map_err(|error| Fault::invalid("CODE_MALFORMED", "code", error.to_string()))?;
    Ok((code, gtin))
}

fn visitor(request: &HttpRequest, site: &ScanSite) -> Visitor {
    let headers = request.headers();
    let user_agent = headers.get(USER_AGENT).map_or(&b""[..], |value| value.as_bytes());
    let purpose = ["sec-purpose", "purpose", "x-purpose", "x-moz"]
        .iter()
        .find_map(|name| headers.get(*name))
        .map(HeaderValue::as_bytes);
    let destination = headers.get("sec-fetch-dest").map(HeaderValue::as_bytes);
    let signals = Signals { user_agent, purpose, destination, head: request.method() == Method::HEAD };
    let Some(device) = signals.person(&site.bots) else {
        return Visitor::Machine;
    };
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let forwarded: Vec<&str> =
        headers.get_all("x-forwarded-for").filter_map(|line| line.to_str().ok()).collect();
    Visitor::Person {
        device,
        origin: site.geo.locate(visitor_address(peer, &forwarded, &site.trusted_proxies)),
    }
}
