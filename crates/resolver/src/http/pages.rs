//! What each verdict says to a person, in plain words.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use mintmark_codes::Code;

use super::page::{Page, Tone, UnitView};
use crate::app::verdict::{Activation, Unit};

/// A genuine unit.
pub fn genuine(unit: &Unit, activation: Activation, code: &Code) -> HttpResponse {
    let brand = &unit.product.brand;
    let (tone, headline, lead, advice, activated) = match activation {
        Activation::Static | Activation::NotAsked => (
            Tone::Good,
            "Genuine",
            format!("{brand} issued this code for this product."),
            "A code can be copied: look at the product and its packaging too.".to_owned(),
            None,
        ),
        Activation::Now(at) => (
            Tone::Good,
            "Genuine, activated now",
            "This is the first scan of this code.".to_owned(),
            "Whoever scans it from now on sees since when it is activated.".to_owned(),
            Some(in_words(at)),
        ),
        Activation::Since(at) => (
            Tone::Warn,
            "Genuine, activated before",
            format!("This code is already activated since {}.", in_words(at)),
            format!(
                "If that was you, all is well. If the product is new to you and its seal was intact, somebody may \
                 have copied the code: ask {brand}."
            ),
            Some(in_words(at)),
        ),
    };
    let product = &unit.product;
    let view = UnitView::new(brand, &product.name, &product.gtin, code, activated.as_deref());
    let title = format!("{headline} · {}", product.name);
    let page = Page { title: &title, tone, headline, lead: &lead, unit: Some(view), advice: &advice };
    page.respond(StatusCode::OK)
}

/// A recalled unit.
pub fn recalled(unit: &Unit, code: &Code) -> HttpResponse {
    let product = &unit.product;
    let since = unit.publication.revoked_at.map(in_words).unwrap_or_default();
    let lead = format!("{} recalled this product on {since}.", product.brand);
    let title = format!("Recalled · {}", product.name);
    let page = Page {
        title: &title,
        tone: Tone::Bad,
        headline: "Recalled",
        lead: &lead,
        unit: Some(UnitView::new(&product.brand, &product.name, &product.gtin, code, None)),
        advice: "Do not use it. Ask the brand, or the shop where it was bought, what to do.",
    };
    page.respond(StatusCode::OK)
}

/// A code that the directory does not have.
pub fn unknown() -> HttpResponse {
    let page = Page {
        title: "Not recognised",
        tone: Tone::Bad,
        headline: "Not recognised",
        lead: "We do not know this code.",
        unit: None,
        advice: "If it was typed by hand, compare it with the print and try again. If it was scanned from a product, \
                 the product may be a counterfeit: ask the brand before using it.",
    };
    page.respond(StatusCode::NOT_FOUND)
}

/// The directory cannot be asked.
pub fn unconfirmed() -> HttpResponse {
    let page = Page {
        title: "Cannot be confirmed now",
        tone: Tone::Wait,
        headline: "Cannot be confirmed now",
        lead: "We cannot check this code at the moment. That says nothing about the product.",
        unit: None,
        advice: "Please try again in a minute.",
    };
    page.respond(StatusCode::SERVICE_UNAVAILABLE)
}

/// What was asked is not a code; `sentence` says why.
pub fn malformed(sentence: &str) -> HttpResponse {
    let lead = format!("{}.", capitalised(sentence));
    let page = Page {
        title: "Not a code",
        tone: Tone::Ask,
        headline: "This is not a code",
        lead: &lead,
        unit: None,
        advice: "Scan the symbol again, or type the code as it is printed: twenty characters in groups of four.",
    };
    page.respond(StatusCode::BAD_REQUEST)
}

/// The page behind the bare address.
pub fn welcome() -> HttpResponse {
    let page = Page {
        title: "Mintmark",
        tone: Tone::Ask,
        headline: "Is it genuine?",
        lead: "Scan the code on a product, and this address tells you.",
        unit: None,
        advice: "To check a code by hand, type it behind this address, after the slash: twenty characters in groups \
                 of four.",
    };
    page.respond(StatusCode::OK)
}

/// `22 November 2026 at 09:35 UTC`.
fn in_words(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y at %H:%M UTC").to_string()
}

fn capitalised(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}
