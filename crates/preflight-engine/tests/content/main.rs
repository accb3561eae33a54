//! What `read` says of the contents of pages: elements with their inks, sizes and places.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/pdf.rs"]
mod pdf;

mod bounds;
mod colour;
mod damage;
mod execute;
mod image;
mod layer;
mod line;
mod mutation;
mod oracle;
mod text;

use mintmark_preflight_engine::{
    Budgets, Facts,
    facts::{Element, ElementKind, Page, Space},
};
use pdf::Doc;

/// A document with one page of 600 by 600 points, its TrimBox 20 points within.
fn doc(content: &str) -> Doc {
    let mut doc = Doc::x4();
    let page = doc.page();
    page.media = Some([0.0, 0.0, 600.0, 600.0]);
    page.crop = None;
    page.bleed = None;
    page.trim = Some([20.0, 20.0, 580.0, 580.0]);
    content.clone_into(&mut page.content);
    doc
}

fn read(doc: &Doc) -> Facts {
    mintmark_preflight_engine::read(doc.build(), &Budgets::default())
}

/// Facts of one page with these contents.
fn facts(content: &str) -> Facts {
    read(&doc(content))
}

/// The first page.
fn page(facts: &Facts) -> &Page {
    facts.pages.first().unwrap()
}

/// Elements of the first page.
fn elements(facts: &Facts) -> &[Element] {
    &page(facts).elements
}

/// The only element of the first page.
fn only(facts: &Facts) -> &Element {
    let [element] = elements(facts) else { panic!("one element wanted: {:#?}", elements(facts)) };
    element
}

/// The space that an element is painted in.
fn space<'f>(facts: &'f Facts, element: &Element) -> &'f Space {
    &facts.spaces[element.paint.space.unwrap()]
}

/// Widths of lines, in order.
fn widths(facts: &Facts) -> Vec<f64> {
    let width = |element: &Element| match element.kind {
        ElementKind::Line { width_pt, .. } => Some(width_pt),
        _ => None,
    };
    elements(facts).iter().filter_map(width).collect()
}

/// Sizes of text, in order.
fn sizes(facts: &Facts) -> Vec<f64> {
    let size = |element: &Element| match element.kind {
        ElementKind::Text { size_pt, .. } => Some(size_pt),
        _ => None,
    };
    elements(facts).iter().filter_map(size).collect()
}

/// Kinds of damage.
fn damage(facts: &Facts) -> Vec<&str> {
    facts.file.damage.iter().map(|damage| damage.kind.as_str()).collect()
}
