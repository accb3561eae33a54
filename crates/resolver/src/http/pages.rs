//! What each verdict says to a person.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use mintmark_codes::Code;

use super::language::{Language, Words, fill};
use super::page::{Page, Tone, UnitView};
use crate::app::verdict::{Activation, Unit};

/// A genuine unit.
pub fn genuine(language: Language, unit: &Unit, activation: Activation, code: &Code) -> HttpResponse {
    let texts = language.texts();
    let (tone, words, activated) = match activation {
        Activation::Static | Activation::NotAsked => (Tone::Good, &texts.genuine, None),
        Activation::Awaiting => (Tone::Good, &texts.awaiting, None),
        Activation::Now(at) => (Tone::Good, &texts.first, Some(at)),
        Activation::Since(at, _) if unit.just_confirmed(activation, Utc::now()) => {
            (Tone::Good, &texts.just, Some(at))
        }
        Activation::Since(at, _) => (Tone::Warn, &texts.before, Some(at)),
    };
    let activated = activated.map(|at| language.time(at));
    let mut view = UnitView::new(&unit.product, code, activated.as_deref());
    if let Activation::Since(_, Some(country)) = activation {
        view.country = Some(language.country(&country));
    }
    let confirm = matches!(activation, Activation::Awaiting);
    Page { confirm, ..of_unit(language, tone, words, view) }.respond(StatusCode::OK)
}

/// A recalled unit; the time may not be known.
pub fn recalled(language: Language, unit: &Unit, at: Option<DateTime<Utc>>, code: &Code) -> HttpResponse {
    let texts = language.texts();
    let at = at.map(|at| language.time(at));
    let lead = if at.is_some() { texts.recalled.lead } else { texts.recalled_at_some_time };
    let words = Words { lead, ..texts.recalled };
    let mut view = UnitView::new(&unit.product, code, None);
    view.recalled = at.as_deref();
    of_unit(language, Tone::Bad, &words, view).respond(StatusCode::OK)
}

/// A code that the directory does not have.
pub fn unknown(language: Language) -> HttpResponse {
    alone(language, Tone::Bad, &language.texts().unknown).respond(StatusCode::NOT_FOUND)
}

/// The directory cannot be asked.
pub fn unconfirmed(language: Language) -> HttpResponse {
    alone(language, Tone::Wait, &language.texts().unconfirmed).respond(StatusCode::SERVICE_UNAVAILABLE)
}

/// What was asked is not a code; `field` is the part of the address that is wrong.
pub fn malformed(language: Language, field: &str) -> HttpResponse {
    let texts = language.texts();
    let lead = if field == "gtin" { texts.malformed_gtin } else { texts.malformed.lead };
    alone(language, Tone::Ask, &Words { lead, ..texts.malformed }).respond(StatusCode::BAD_REQUEST)
}

/// What was asked is no address of ours: to its reader it is no code either.
pub fn no_such_address(language: Language) -> HttpResponse {
    alone(language, Tone::Ask, &language.texts().malformed).respond(StatusCode::NOT_FOUND)
}

/// The page behind the bare address.
pub fn welcome(language: Language) -> HttpResponse {
    let words = &language.texts().welcome;
    Page { title: "Mintmark".to_owned(), ..alone(language, Tone::Ask, words) }.respond(StatusCode::OK)
}

fn of_unit<'a>(language: Language, tone: Tone, words: &Words, view: UnitView<'a>) -> Page<'a> {
    let values = [("brand", view.brand), ("when", view.activated.or(view.recalled).unwrap_or_default())];
    Page {
        language,
        title: format!("{} · {}", words.headline, view.product),
        tone,
        headline: words.headline,
        lead: fill(words.lead, &values),
        advice: fill(words.advice, &values),
        unit: Some(view),
        confirm: false,
    }
}

fn alone(language: Language, tone: Tone, words: &Words) -> Page<'static> {
    Page {
        language,
        title: words.headline.to_owned(),
        tone,
        headline: words.headline,
        lead: words.lead.to_owned(),
        advice: words.advice.to_owned(),
        unit: None,
        confirm: false,
    }
}
