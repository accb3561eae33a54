//! A verdict as an HTTP answer.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    RETRY_AFTER, VARY,
};
use actix_web::http::{StatusCode, Uri};
use actix_web::{HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use mintmark_codes::Code;
use mintmark_fault::Fault;
use mintmark_look::Format;
use mintmark_web::Problem;
use serde::Serialize;

use super::language::Language;
use super::negotiate::{Form, Reader};
use super::pages;
use crate::app::verdict::{Activation, Unit, Verdict};

/// The answer to a scan of the link `uri`, whose query is passed on to the brand's destination.
pub fn answer(verdict: &Verdict, reader: Reader<'_>, code: &Code, uri: &Uri) -> HttpResponse {
    let mut response = match (verdict, reader.form) {
        (Verdict::Genuine(unit, activation), Form::Page) => {
            let query = uri.query().unwrap_or_default();
            let destination = if stays(unit, *activation) { None } else { redirect(unit, query) };
            destination.unwrap_or_else(|| pages::genuine(reader.language(), unit, *activation, code))
        }
        (Verdict::Recalled(unit, at), Form::Page) => pages::recalled(reader.language(), unit, *at, code),
        (Verdict::Unknown, Form::Page) => pages::unknown(reader.language()),
        (Verdict::Unconfirmed, Form::Page) => pages::unconfirmed(reader.language()),
        (verdict, Form::Json) => json(verdict, uri),
    };
    if matches!(verdict, Verdict::Unconfirmed) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// The answer to a confirmation: people are sent back to the link, so that loading the page again confirms nothing.
pub fn confirmed(verdict: &Verdict, reader: Reader<'_>, code: &Code, uri: &Uri) -> HttpResponse {
    let back = uri.path_and_query().and_then(|link| HeaderValue::from_str(link.as_str()).ok());
    match (verdict, reader.form, back) {
        (Verdict::Genuine(..), Form::Page, Some(back)) => {
            HttpResponse::SeeOther().insert_header((LOCATION, back)).finish()
        }
        _ => answer(verdict, reader, code, uri),
    }
}

/// Whether a person stays here although the brand has a destination: where there is a button to press, and right after it
/// was pressed. (Our policy for forms would keep a browser from following the button's answer to another site.)
fn stays(unit: &Unit, activation: Activation) -> bool {
    matches!(activation, Activation::Awaiting) || unit.just_confirmed(activation, Utc::now())
}

/// The answer to what is neither a code nor a link.
pub fn malformed(fault: Fault, reader: Reader<'_>) -> HttpResponse {
    match reader.form {
        Form::Page => pages::malformed(reader.language(), fault.field_name().unwrap_or_default()),
        Form::Json => HttpResponse::from_error(Problem(fault)),
    }
}

/// The answer to an address that is neither a link nor anything else here.
pub fn no_such_address(reader: Reader<'_>) -> HttpResponse {
    match reader.form {
        Form::Page => pages::no_such_address(reader.language()),
        Form::Json => HttpResponse::from_error(Problem(Fault::not_found("resource"))),
    }
}

/// Leads to a link of ours, with the query of the address that was meant to be it where a header can hold that.
pub fn link(path: &str, query: Option<&str>) -> HttpResponse {
    let whole = query.and_then(|query| HeaderValue::try_from(format!("{path}?{query}")).ok());
    let mut response = HttpResponse::PermanentRedirect();
    match whole {
        Some(location) => response.insert_header((LOCATION, location)),
        None => response.insert_header((LOCATION, path)),
    };
    response.finish()
}

/// The answer to the bare address.
pub fn welcome(language: Language) -> HttpResponse {
    pages::welcome(language)
}

/// An image of the page. Its address is its hash, so it never changes; nothing in it may run, and nobody else may show it.
pub fn image(format: Format, content: Bytes) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, format.content_type()))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header((HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
        .body(content)
}

/// What a scan saw is between the person and us: nobody stores it, and the next page is not told the code. The edge puts
/// these on every answer of the scan role, the ones that it writes itself included.
pub fn private_headers() -> [(HeaderName, HeaderValue); 3] {
    [
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (VARY, HeaderValue::from_static("Accept, Accept-Language")),
    ]
}

fn redirect(unit: &Unit, query: &str) -> Option<HttpResponse> {
    let destination = unit.product.destination.as_ref()?;
    let url = destination.fill(&unit.product.gtin, unit.serial, unit.publication.batch, query);
    let location = HeaderValue::try_from(url).ok()?;
    Some(HttpResponse::TemporaryRedirect().insert_header((LOCATION, location)).finish())
}

/// A verdict for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VerdictView<'a> {
    status: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    unit: Option<UnitView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activation: Option<ActivationView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recalled_at: Option<String>,
}

#[derive(Serialize)]
struct UnitView<'a> {
    gtin: &'a str,
    brand: &'a str,
    product: &'a str,
    serial: i64,
    mode: &'static str,
}

#[derive(Serialize)]
struct ActivationView<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// Where, in two letters of ISO 3166-1.
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm: Option<ConfirmView<'a>>,
}

/// How to activate.
#[derive(Serialize)]
struct ConfirmView<'a> {
    method: &'static str,
    href: &'a str,
}

fn json(verdict: &Verdict, uri: &Uri) -> HttpResponse {
    let (http, status, unit, activation) = match verdict {
        Verdict::Genuine(unit, activation) => (StatusCode::OK, "genuine", Some(unit), Some(*activation)),
        Verdict::Recalled(unit, _) => (StatusCode::OK, "recalled", Some(unit), None),
        Verdict::Unknown => (StatusCode::NOT_FOUND, "unknown", None, None),
        Verdict::Unconfirmed => (StatusCode::SERVICE_UNAVAILABLE, "unconfirmed", None, None),
    };
    HttpResponseBuilder::new(http).json(VerdictView {
        status,
        unit: unit.map(|unit| UnitView {
            gtin: &unit.product.gtin,
            brand: &unit.product.brand,
            product: &unit.product.name,
            serial: unit.serial,
            mode: unit.publication.mode.as_str(),
        }),
        activation: activation.map(|activation| {
            let (state, at) = match activation {
                Activation::Static => ("static", None),
                Activation::NotAsked => ("not_activated", None),
                Activation::Awaiting => ("awaiting_confirmation", None),
                Activation::Now(at) => ("activated_now", Some(at)),
                Activation::Since(at, _) => ("activated", Some(at)),
            };
            let country = match &activation {
                Activation::Since(_, country) => country.map(|country| country.as_str().to_owned()),
                _ => None,
            };
            let confirm = ConfirmView { method: "POST", href: uri.path() };
            let confirm = matches!(activation, Activation::Awaiting).then_some(confirm);
            ActivationView { state, at: at.map(rfc3339), country, confirm }
        }),
        recalled_at: match verdict {
            Verdict::Recalled(_, at) => at.map(rfc3339),
            _ => None,
        },
    })
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
