//! The page that people see: one template, its style inline under a content security policy that allows just it.

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mintmark_codes::Code;
use mintmark_fault::Fault;
use ring::digest::{SHA256, digest};

use super::language::{Language, Texts, fill};
use crate::app::directory_state::Product;
use crate::app::look::{ImageRef, Look};

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
    /// The language of everything that is not the brand's own.
    pub language: Language,
    /// Of the window.
    pub title: String,
    /// The look of the verdict. The brand cannot change it.
    pub tone: Tone,
    /// The verdict in a few words.
    pub headline: &'static str,
    /// The verdict in a sentence.
    pub lead: String,
    /// The unit, where there is one.
    pub unit: Option<UnitView<'a>>,
    /// What to do; may be empty.
    pub advice: String,
    /// Shows the button that activates: a plain form, sent to the page's own address.
    pub confirm: bool,
}

/// What the page says of a unit.
pub struct UnitView<'a> {
    /// The brand's name.
    pub brand: &'a str,
    /// The product's name.
    pub product: &'a str,
    /// 14 digits.
    pub gtin: &'a str,
    /// How the brand looks, and the product.
    pub look: &'a Look,
    /// The code in groups of four, as its holder has it in front of them.
    pub code: String,
    /// When it was first activated, in words.
    pub activated: Option<&'a str>,
    /// Where that was, as coarse as a country.
    pub country: Option<String>,
    /// When it was recalled, in words.
    pub recalled: Option<&'a str>,
}

impl<'a> UnitView<'a> {
    /// The view of a unit.
    pub fn new(product: &'a Product, code: &Code, activated: Option<&'a str>) -> Self {
        UnitView {
            brand: &product.brand,
            product: &product.name,
            gtin: &product.gtin,
            look: &product.look,
            code: code.grouped(),
            activated,
            country: None,
            recalled: None,
        }
    }

    /// The groups with their hyphens, so that a line breaks between groups alone.
    fn code_groups(&self) -> impl Iterator<Item = &str> {
        self.code.split_inclusive('-')
    }
}

impl Page<'_> {
    fn texts(&self) -> &'static Texts {
        self.language.texts()
    }

    /// The words for a picture that is not seen.
    fn picture_text(&self, product: &str) -> String {
        fill(self.texts().picture, &[("product", product)])
    }

    fn look(&self) -> Option<&Look> {
        self.unit.as_ref().map(|unit| unit.look)
    }

    /// The brand's colour, and what is read on it, as a style of its own. Empty without a colour.
    fn brand_style(&self) -> String {
        let colour = self.look().and_then(|look| look.colour);
        colour
            .map(|colour| format!(":root{{--brand:{colour};--on-brand:{}}}", colour.text()))
            .unwrap_or_default()
    }

    fn address(image: &ImageRef) -> String {
        format!("/-/images/{}", image.file_name())
    }

    /// Nothing but our own styles, and images and a form only where the page has them.
    fn policy(&self) -> HeaderValue {
        let brand_style = self.brand_style();
        let brand_hash =
            if brand_style.is_empty() { String::new() } else { format!(" 'sha256-{}'", hash(&brand_style)) };
        let images = self.look().is_some_and(|look| look.logo.is_some() || look.picture.is_some());
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{}'{brand_hash}; {}base-uri 'none'; form-action {}; frame-ancestors 'none'",
            *STYLE_HASH,
            if images { "img-src 'self'; " } else { "" },
            if self.confirm { "'self'" } else { "'none'" },
        );
        // Without it the page would be refused its style, never allowed more.
        HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
    }

    /// The page as an answer.
    pub fn respond(&self, status: StatusCode) -> HttpResponse {
        match self.render() {
            Ok(html) => HttpResponseBuilder::new(status)
                .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")))
                .insert_header((CONTENT_LANGUAGE, HeaderValue::from_static(self.language.tag())))
                .insert_header((CONTENT_SECURITY_POLICY, self.policy()))
                .body(html),
            Err(error) => HttpResponse::from_error(mintmark_web::Problem(Fault::internal(error))),
        }
    }
}

static STYLE_HASH: LazyLock<String> = LazyLock::new(|| hash(style()));

fn hash(style: &str) -> String {
    STANDARD.encode(digest(&SHA256, style.as_bytes()))
}

/// The text between the style tags, which the template engine copies as it is.
fn style() -> &'static str {
    const TEMPLATE: &str = include_str!("../../templates/page.html");
    let inside =
        |text: &'static str| text.split_once("<style>")?.1.split_once("</style>").map(|(style, _)| style);
    inside(TEMPLATE).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use mintmark_look::{Format, ImageHash};

    use super::*;

    fn product(look: Look) -> Product {
        Product {
            gtin: "09506000134352".to_owned(),
            brand: "<b>&Brand".to_owned(),
            name: "Product \"of\" <i>ours".to_owned(),
            destination: None,
            look,
        }
    }

    fn page(product: &Product) -> Page<'_> {
        let code = Code::parse("3FZK9Q7M2XW4T8B6NRVA").unwrap();
        Page {
            language: Language::English,
            title: "Genuine".to_owned(),
            tone: Tone::Good,
            headline: "Genuine",
            lead: "A lead.".to_owned(),
            unit: Some(UnitView::new(product, &code, Some("a time"))),
            advice: "Some advice.".to_owned(),
            confirm: false,
        }
    }

    fn dressed() -> Look {
        let image =
            |of: &[u8]| ImageRef { hash: ImageHash::of(of), format: Format::Png, width: 64, height: 32 };
        Look {
            colour: Some("#0b4f6c".parse().unwrap()),
            logo: Some(image(b"logo")),
            picture: Some(image(b"picture")),
        }
    }

    #[test]
    fn render_escapes_what_brands_write() {
        let product = product(dressed());
        let html = page(&product).render().unwrap();
        assert!(html.contains("&#60;b&#62;&#38;Brand"), "{html}");
        assert!(!html.contains("<b>") && !html.contains("<i>"));
        assert!(html.contains("Product &#34;of&#34; &#60;i&#62;ours\""), "in an attribute too: {html}");
        assert!(html.contains("<span>3FZK-</span>"));
    }

    #[test]
    fn render_keeps_the_styles_that_the_policy_hashes() {
        assert!(style().len() > 1000);
        for look in [Look::default(), dressed()] {
            let product = product(look);
            for tone in [Tone::Good, Tone::Warn, Tone::Bad, Tone::Wait, Tone::Ask] {
                let page = Page { tone, confirm: tone == Tone::Warn, ..page(&product) };
                let html = page.render().unwrap();
                let policy = page.policy();
                let mut rest = html.as_str();
                while let Some((_, behind)) = rest.split_once("<style>") {
                    let (style, after) = behind.split_once("</style>").unwrap();
                    assert!(policy.to_str().unwrap().contains(&hash(style)), "{style}");
                    rest = after;
                }
                for forbidden in ["<script", "style=", "http:", "https:", "@import", "url(", "//"] {
                    assert!(!html.contains(forbidden), "{forbidden}");
                }
            }
        }
    }

    #[test]
    fn policy_allows_only_what_the_page_has() {
        let (plain, dressed) = (product(Look::default()), product(dressed()));
        let text = |page: Page<'_>| page.policy().to_str().unwrap().to_owned();
        let policy = text(page(&plain));
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(!policy.contains("img-src") && policy.contains("form-action 'none'"), "{policy}");
        let policy = text(Page { confirm: true, ..page(&dressed) });
        assert!(policy.contains("img-src 'self'") && policy.contains("form-action 'self'"), "{policy}");
        assert_eq!(policy.matches("sha256-").count(), 2, "{policy}");
    }

    #[test]
    fn render_stays_small_in_every_language() {
        let mut product = product(dressed());
        product.name = "Midnight Sun espresso, whole beans, 250 g".to_owned();
        product.brand = "Fjord Roastery & Daughters".to_owned();
        for language in Language::ALL {
            let html = Page { language, confirm: true, ..page(&product) }.render().unwrap();
            assert!(html.len() < 12 * 1024, "{language:?}: {} bytes", html.len());
            assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())));
        }
    }
}
