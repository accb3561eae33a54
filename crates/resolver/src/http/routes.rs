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

/// Any other address. A code's link with slashes too many leads to the link; people read the rest as a page.
pub async fn elsewhere(request: HttpRequest) -> HttpResponse {
    match meant(request.path()) {
        Some(link) => answers::link(&link, request.uri().query()),
        None => answers::no_such_address(Reader::of(request.headers())),
    }
}

/// The link that an address with empty segments is meant to be, as labels and mail programs make them. It holds nothing
/// but digits, letters and hyphens between its slashes: it cannot lead to another site.
fn meant(path: &str) -> Option<String> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let code = match segments[..] {
        [code] | ["01", _, "21", code] => code,
        _ => return None,
    };
    let plain = |segment: &&str| segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let link = format!("/{}", segments.join("/"));
    (segments.iter().all(plain) && Code::parse(code).is_ok() && link != path).then_some(link)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meant_is_a_link_of_ours_or_nothing() {
        let code = "3FZK9Q7M2XW4T8B6NRVA";
        let link = format!("/01/09506000134352/21/{code}");
        for path in [format!("{link}/"), format!("/{link}"), format!("//01/09506000134352//21/{code}//")] {
            assert_eq!(meant(&path), Some(link.clone()), "{path}");
        }
        assert_eq!(meant(&format!("//{code}/")), Some(format!("/{code}")));
        for path in [
            format!("/{code}"),
            link.clone(),
            "//evil.example/".to_owned(),
            format!("/\\evil.example/{code}/"),
            format!("//evil.example/{code}"),
            format!("/01/%2f%2fevil.example/21/{code}/"),
            format!("/01/09506000134352/10/A/21/{code}/"),
            "/01/09506000134352/21/".to_owned(),
            "/abc/".to_owned(),
            "//".to_owned(),
        ] {
            assert_eq!(meant(&path), None, "{path}");
        }
    }
}
