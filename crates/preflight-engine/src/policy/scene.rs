//! What the checks look at: facts with the terms of GWG 2022 applied, and where their findings go.

use super::{Amount, Intent, Severity, colour::Colour};
use crate::facts::{Element, ElementKind, Facts, ObjectRef, Operation, Page, Place, Rect};

/// Groups of alike findings that are kept of one rule; more are counted.
pub(super) const GROUPS: usize = 20;

const MM: f64 = 25.4 / 72.0;

/// Facts, the job's intent and the factors in force.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) facts: &'a Facts,
    pub(super) intent: &'a Intent,
    /// Agreed scaling factor; 1 where the policy has no R0037.
    pub(super) scaling: f64,
    /// Viewing distance in metres; 1 likewise.
    pub(super) distance: f64,
}

/// An element of a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) page: &'a Page,
    pub(super) element: &'a Element,
    pub(super) colour: Colour<'a>,
}

impl<'a> Scene<'a> {
    /// Page elements: visible, on the product's surface, no processing step, no part of a soft mask.
    pub(super) fn elements(&self) -> impl Iterator<Item = Seen<'a>> {
        let facts = self.facts;
        facts.pages.iter().flat_map(move |page| elements_of(facts, page))
    }

    /// Page elements of one page.
    pub(super) fn elements_of(&self, page: &'a Page) -> impl Iterator<Item = Seen<'a>> {
        elements_of(self.facts, page)
    }

    /// Text that shows, with its size.
    pub(super) fn texts(&self) -> impl Iterator<Item = (Seen<'a>, f64)> {
        self.elements().filter_map(|seen| match seen.element.kind {
            ElementKind::Text { size_pt, mode, .. } if !matches!(mode, 3 | 7) => Some((seen, size_pt)),
            _ => None,
        })
    }

    /// Lines, with their width.
    pub(super) fn lines(&self) -> impl Iterator<Item = (Seen<'a>, f64)> {
        self.elements().filter_map(|seen| match seen.element.kind {
            ElementKind::Line { width_pt, .. } => Some((seen, width_pt)),
            _ => None,
        })
    }

    /// The factor that divides limits of length on a page: its `UserUnit` is already in what was measured.
    pub(super) fn scaling_on(&self, page: &Page) -> f64 {
        if page.user_unit.is_some() { 1.0 } else { self.scaling }
    }

    /// The limit of resolution on a page.
    pub(super) fn resolution_limit(&self, limit: f64, page: &Page) -> f64 {
        limit / self.distance * self.scaling_on(page)
    }
}

impl Seen<'_> {
    /// Painted as a stroke; else as a fill.
    pub(super) fn stroked(&self) -> bool {
        self.element.paint.operation == Operation::Stroke
    }

    /// Constant alpha 1 and blend mode Normal.
    pub(super) fn opaque(&self) -> bool {
        let paint = &self.element.paint;
        paint.alpha >= 1.0 && matches!(paint.blend.as_str(), "Normal" | "Compatible" | "")
    }
}

fn elements_of<'a>(facts: &'a Facts, page: &'a Page) -> impl Iterator<Item = Seen<'a>> {
    let surface = surface(page);
    page.elements.iter().filter(move |element| is_page_element(element, surface)).map(move |element| Seen {
        page,
        element,
        colour: Colour::of(facts, &element.paint),
    })
}

fn is_page_element(element: &Element, surface: Option<Rect>) -> bool {
    element.visible
        && !element.step
        && !element.within.iter().any(|within| within == "soft_mask")
        && surface.is_none_or(|surface| reaches(element, surface))
}

/// The product's surface in points: the BleedBox, else the TrimBox, else the page.
fn surface(page: &Page) -> Option<Rect> {
    in_points(page, page.boxes.bleed.or(page.boxes.trim).or(page.boxes.media))
}

/// Whether some of it is on the surface, or could be: only the first places of many are known.
fn reaches(element: &Element, surface: Rect) -> bool {
    let places = &element.places;
    let known = u64::try_from(places.first.len()).unwrap_or(u64::MAX);
    known == 0 || known < places.count || places.first.iter().any(|place| meet(place.bbox, surface))
}

fn meet(a: Rect, b: Rect) -> bool {
    a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3]
}

/// A box of the page in points.
pub(super) fn in_points(page: &Page, rect: Option<Rect>) -> Option<Rect> {
    let unit = page.user_unit.unwrap_or(1.0);
    rect.map(|rect| rect.map(|value| value * unit))
}

/// The TrimBox as readers take it: where absent, the CropBox, else the MediaBox. In points.
pub(super) fn trim(page: &Page) -> Option<Rect> {
    in_points(page, page.boxes.trim.or(page.boxes.crop).or(page.boxes.media))
}

/// Millimetres from the lower left corner of the TrimBox.
pub(super) fn in_mm(page: &Page, rect: Rect) -> Option<[f64; 4]> {
    let trim = trim(page)?;
    Some([
        (rect[0] - trim[0]) * MM,
        (rect[1] - trim[1]) * MM,
        (rect[2] - trim[0]) * MM,
        (rect[3] - trim[1]) * MM,
    ])
}

/// Points to millimetres.
pub(super) fn mm(points: f64) -> f64 {
    points * MM
}

/// A name from the file in a sentence: short, and without anything that a terminal obeys or that turns text around.
pub(super) fn named(name: &str) -> String {
    let hidden = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut clean: String =
        name.chars().take(80).map(|letter| if hidden(letter) { '\u{fffd}' } else { letter }).collect();
    if name.chars().count() > 80 {
        clean.push('…');
    }
    format!("“{clean}”")
}

/// A violation, before it has its rule's name on it.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub(super) severity: Option<Severity>,
    pub(super) check: Option<&'static str>,
    pub(super) mend: Option<&'static str>,
    pub(super) message: String,
    pub(super) page: Option<u32>,
    pub(super) bbox_mm: Option<[f64; 4]>,
    pub(super) object: Option<ObjectRef>,
    pub(super) operator: Option<u64>,
    pub(super) measured: Option<Amount>,
    pub(super) limit: Option<Amount>,
    pub(super) count: u64,
}

impl Found {
    /// Of the whole document.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), count: 1, ..Self::default() }
    }

    /// Of a page.
    pub(super) fn page(page: &Page, message: impl Into<String>) -> Self {
        Self { page: Some(page.number), object: page.object, ..Self::new(message) }
    }

    /// Of alike elements: the first one on the surface stands for them.
    pub(super) fn element(seen: &Seen<'_>, message: impl Into<String>) -> Self {
        let places = &seen.element.places;
        let surface = surface(seen.page);
        let on_surface = |place: &&Place| surface.is_some_and(|surface| meet(place.bbox, surface));
        let place = places.first.iter().find(on_surface).or_else(|| places.first.first());
        Self {
            page: Some(seen.page.number),
            bbox_mm: place.and_then(|place| in_mm(seen.page, place.bbox)),
            object: place.and_then(|place| place.object),
            operator: place.map(|place| place.operator),
            count: places.count.max(1),
            ..Self::new(message)
        }
    }

    pub(super) fn measured(mut self, measured: Amount) -> Self {
        self.measured = Some(measured);
        self
    }

    pub(super) fn limit(mut self, limit: Amount) -> Self {
        self.limit = Some(limit);
        self
    }

    pub(super) fn object(mut self, object: Option<ObjectRef>) -> Self {
        self.object = object;
        self
    }

    pub(super) fn severity(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }
}

/// What a check comes to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Violations, alike ones together, at most [`GROUPS`].
    pub(super) found: Vec<Found>,
    /// Violations, all of them, of severity error, of warning, and of the rule's own severity.
    pub(super) errors: u64,
    /// See `errors`.
    pub(super) warnings: u64,
    /// See `errors`.
    pub(super) plain: u64,
    /// Violations beyond [`GROUPS`].
    pub(super) left_off: u64,
    /// Why some of it could not be judged.
    pub(super) not_evaluated: Vec<String>,
    /// What is worth knowing.
    pub(super) notes: Vec<String>,
}

impl Outcome {
    /// Adds a violation.
    pub(super) fn push(&mut self, found: Found) {
        match found.severity {
            Some(Severity::Error) => self.errors += found.count,
            Some(Severity::Warning) => self.warnings += found.count,
            None => self.plain += found.count,
        }
        let alike = self.found.iter().position(|known| {
            known.page == found.page
                && known.severity == found.severity
                && known.check == found.check
                && known.message == found.message
        });
        match alike {
            Some(known) => self.found[known].count += found.count,
            None if self.found.len() < GROUPS => self.found.push(found),
            None => self.left_off += found.count,
        }
    }

    /// Says once why something could not be judged.
    pub(super) fn cannot(&mut self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.not_evaluated.len() < GROUPS && !self.not_evaluated.contains(&reason) {
            self.not_evaluated.push(reason);
        }
    }

    /// Violations in all.
    pub(super) fn total(&self) -> u64 {
        self.errors + self.warnings + self.plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn push_groups_alike_and_counts_the_rest() {
        let mut outcome = Outcome::default();
        for number in 0..1_224 {
            outcome.push(Found::new(format!("number {number}")));
        }
        outcome.push(Found::new("number 3"));
        assert_eq!((outcome.found.len(), outcome.left_off, outcome.total()), (GROUPS, 1_204, 1_225));
        assert_eq!(outcome.found[3].count, 2);
    }

    #[test]
    fn named_hides_what_a_terminal_obeys() {
        assert_eq!(named("a\u{1b}[31mb\u{202e}c"), "“a\u{fffd}[31mb\u{fffd}c”");
        assert!(named(&"x".repeat(200)).ends_with("…”"));
    }
}
