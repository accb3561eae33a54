//! The page that people see: one template, its style inline under a content security policy that allows just it.

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mintmark_codes::Code;
use mintmark_fault::Fault;
use ring::digest::{SHA256, digest};

/// How the page looks at first sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A green seal.
    Good,
    /// An amber seal.
    Warn,
    /// A red sign.
    Bad,
    /// A grey clock.
    Wait,
    /// A grey seal with a question mark.
    Ask,
}

impl Tone {
    /// A round seal with twelve bulges, in a square of 96.
    const SEAL: &'static str = "M37.9 10.3A12 12 0 0 1 58.1 10.3A12 12 0 0 1 75.6 20.4A12 12 0 0 1 85.7 37.9A12 12 0 0 1 85.7 58.1A12 12 0 0 1 75.6 75.6A12 12 0 0 1 58.1 85.7A12 12 0 0 1 37.9 85.7A12 12 0 0 1 20.4 75.6A12 12 0 0 1 10.3 58.1A12 12 0 0 1 10.3 37.9A12 12 0 0 1 20.4 20.4A12 12 0 0 1 37.9 10.3Z";

    fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Warn => "warn",
            Tone::Bad => "bad",
            Tone::Wait | Tone::Ask => "wait",
        }
    }
}

/// What the page says.
#[derive(Template)]
#[template(path = "page.html")]
pub struct Page<'a> {
    /// Of the window.
    pub title: &'a str,
    /// The look.
    pub tone: Tone,
    /// The verdict in a few words.
    pub headline: &'a str,
    /// The verdict in a sentence.
    pub lead: &'a str,
    /// The unit, where there is one.
    pub unit: Option<UnitView<'a>>,
    /// What to do; may be empty.
    pub advice: &'a str,
}

/// What the page says of a unit.
pub struct UnitView<'a> {
    /// The brand's name.
    pub brand: &'a str,
    /// The product's name.
    pub product: &'a str,
    /// 14 digits.
    pub gtin: &'a str,
    /// The code in groups of four, as its holder has it in front of them.
    pub code: String,
    /// When it was first activated, in words.
    pub activated: Option<&'a str>,
}

impl<'a> UnitView<'a> {
    /// The view of a unit.
    pub fn new(
        brand: &'a str,
        product: &'a str,
        gtin: &'a str,
        code: &Code,
        activated: Option<&'a str>,
    ) -> Self {
        UnitView { brand, product, gtin, code: code.grouped(), activated }
    }

    /// The groups with their hyphens, so that a line breaks between groups alone.
    fn code_groups(&self) -> impl Iterator<Item = &str> {
        self.code.split_inclusive('-')
    }
}

impl Page<'_> {
    /// The page as an answer.
    pub fn respond(&self, status: StatusCode) -> HttpResponse {
        match self.render() {
            Ok(html) => HttpResponseBuilder::new(status)
                .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")))
                .insert_header((CONTENT_SECURITY_POLICY, POLICY.clone()))
                .body(html),
            Err(error) => HttpResponse::from_error(mintmark_web::Problem(Fault::internal(error))),
        }
    }
}

/// Nothing but our own style: no script, no image, no font, no frame, no form.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest(&SHA256, style().as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    // Without it the page would be refused its style, never allowed more.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// The text between the style tags, which the template engine copies as it is.
fn style() -> &'static str {
    const TEMPLATE: &str = include_str!("../../templates/page.html");
    let inside =
        |text: &'static str| text.split_once("<style>")?.1.split_once("</style>").map(|(style, _)| style);
    inside(TEMPLATE).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page<'static> {
        let code = Code::parse("3FZK9Q7M2XW4T8B6NRVA").unwrap();
        Page {
            title: "Genuine",
            tone: Tone::Good,
            headline: "Genuine",
            lead: "A lead.",
            unit: Some(UnitView::new("<b>&Brand", "Product", "09506000134352", &code, None)),
            advice: "",
        }
    }

    #[test]
    fn render_escapes_what_brands_write() {
        let html = page().render().unwrap();
        assert!(html.contains("&#60;b&#62;&#38;Brand"), "{html}");
        assert!(!html.contains("<b>"));
        assert!(html.contains("<span>3FZK-</span>"));
    }

    #[test]
    fn render_keeps_the_style_that_the_policy_hashes() {
        assert!(style().len() > 1000);
        for tone in [Tone::Good, Tone::Warn, Tone::Bad, Tone::Wait, Tone::Ask] {
            let html = Page { tone, ..page() }.render().unwrap();
            assert!(html.contains(&format!("<style>{}</style>", style())));
            for forbidden in ["<script", "style=", "http:", "https:", "@import", "url("] {
                assert!(!html.contains(forbidden), "{forbidden}");
            }
        }
    }
}
