//! A verdict as an HTTP answer.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, HeaderMap, HeaderValue, LOCATION, REFERRER_POLICY, RETRY_AFTER, VARY,
};
use actix_web::{HttpResponse, HttpResponseBuilder};
use chrono::{DateTime, SecondsFormat, Utc};
use mintmark_codes::Code;
use mintmark_fault::Fault;
use mintmark_web::Problem;
use serde::Serialize;

use super::negotiate::Form;
use super::pages;
use crate::app::verdict::{Activation, Unit, Verdict};

/// The answer to a scan. `query` is passed on to the brand's destination.
pub fn answer(verdict: &Verdict, form: Form, code: &Code, query: &str) -> HttpResponse {
    let mut response = match (verdict, form) {
        (Verdict::Genuine(unit, activation), Form::Page) => {
            redirect(unit, query).unwrap_or_else(|| pages::genuine(unit, *activation, code))
        }
        (Verdict::Recalled(unit), Form::Page) => pages::recalled(unit, code),
        (Verdict::Unknown, Form::Page) => pages::unknown(),
        (Verdict::Unconfirmed, Form::Page) => pages::unconfirmed(),
        (verdict, Form::Json) => json(verdict),
    };
    if matches!(verdict, Verdict::Unconfirmed) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    private(&mut response);
    response
}

/// The answer to what is neither a code nor a link.
pub fn malformed(code: &'static str, field: &'static str, sentence: String, form: Form) -> HttpResponse {
    let mut response = match form {
        Form::Page => pages::malformed(&sentence),
        Form::Json => HttpResponse::from_error(Problem(Fault::invalid(code, field, sentence))),
    };
    private(&mut response);
    response
}

/// The answer to the bare address.
pub fn welcome() -> HttpResponse {
    let mut response = pages::welcome();
    private(&mut response);
    response
}

/// What a scan saw is between the person and us: nobody stores it, and the next page is not told the code.
fn private(response: &mut HttpResponse) {
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(VARY, HeaderValue::from_static("Accept"));
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
    activation: Option<ActivationView>,
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
struct ActivationView {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
}

fn json(verdict: &Verdict) -> HttpResponse {
    let (http, status, unit, activation) = match verdict {
        Verdict::Genuine(unit, activation) => (StatusCode::OK, "genuine", Some(unit), Some(*activation)),
        Verdict::Recalled(unit) => (StatusCode::OK, "recalled", Some(unit), None),
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
                Activation::Now(at) => ("activated_now", Some(at)),
                Activation::Since(at) => ("activated", Some(at)),
            };
            ActivationView { state, at: at.map(rfc3339) }
        }),
        recalled_at: unit.and_then(|unit| unit.publication.revoked_at).map(rfc3339),
    })
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
