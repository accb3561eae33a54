//! R0007 to R0019: text, lines and paths by colour, size and overprint.

use crate::{
    facts::{ElementKind, Family, Page},
    policy::{
        Amount, RuleUse,
        colour::rounded,
        report::shortest,
        scene::{Found, Outcome, Scene, Seen, named},
    },
};

/// What a sentence calls the element.
#[derive(Debug, Clone, Copy)]
enum What {
    Text,
    Line,
}

impl What {
    fn elements<'a>(self, scene: &Scene<'a>) -> Box<dyn Iterator<Item = (Seen<'a>, f64)> + 'a> {
        // The iterators borrow the facts, not the scene.
        match self {
            Self::Text => Box::new(scene.texts().collect::<Vec<_>>().into_iter()),
            Self::Line => Box::new(scene.lines().collect::<Vec<_>>().into_iter()),
        }
    }

    fn phrase(self, size: f64) -> String {
        match self {
            Self::Text => format!("Text of {} pt", shortest(size)),
            Self::Line => format!("A line of {} pt", shortest(size)),
        }
    }
}

/// What is wrong with an element that is too small, and how a sentence says so.
#[derive(Clone, Copy)]
struct Wrong {
    /// Of overlapping elements alone.
    overlapping: bool,
    /// Whether it is; `None` where that cannot be known.
    is: fn(&Seen<'_>) -> Option<bool>,
    says: &'static str,
}

/// Elements smaller than the limit that are wrong; those of which it cannot be known leave the rule not evaluated.
fn smaller(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome, what: What, wrong: Wrong) {
    let Some(limit) = item.number("pt") else { return };
    for (seen, size) in what.elements(scene) {
        let limit = limit_on(scene, limit, seen.page);
        if (wrong.overlapping && !seen.element.overlapping) || rounded(size) >= rounded(limit) {
            continue;
        }
        match (wrong.is)(&seen) {
            Some(true) => out.push(
                Found::element(
                    &seen,
                    format!(
                        "{} {}; from {} pt on it is allowed.",
                        what.phrase(size),
                        wrong.says,
                        shortest(limit)
                    ),
                )
                .measured(Amount::number(size, "pt"))
                .limit(Amount::number(limit, "pt")),
            ),
            Some(false) => {}
            None => out.cannot(format!(
                "{} on page {} has a colour that could not be determined.",
                what.phrase(size),
                seen.page.number
            )),
        }
    }
}

fn limit_on(scene: &Scene<'_>, limit: f64, page: &Page) -> f64 {
    limit / scene.scaling_on(page)
}

/// Black that knocks out: fully black, opaque and Normal, not gray, and not overprinting as its space needs it.
fn knocks_out(seen: &Seen<'_>) -> Option<bool> {
    if !seen.opaque() || seen.colour.family() == Family::DeviceGray {
        return Some(false);
    }
    let paint = &seen.element.paint;
    let enough = paint.overprint && (seen.colour.family() != Family::DeviceCMYK || paint.overprint_mode == 1);
    seen.colour.black().map(|black| black && !enough)
}

fn is_gray(seen: &Seen<'_>) -> Option<bool> {
    let unknown = seen.colour.space.is_none() && !seen.colour.pattern;
    (!unknown).then(|| seen.colour.family() == Family::DeviceGray)
}

fn is_white(seen: &Seen<'_>) -> Option<bool> {
    seen.colour.white()
}

fn is_multi(seen: &Seen<'_>) -> Option<bool> {
    seen.colour.components_above_nought(seen.element).map(|count| count > 1)
}

pub(in crate::policy) fn black_text_knocks_out(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    smaller(
        scene,
        item,
        out,
        What::Text,
        Wrong { overlapping: true, is: knocks_out, says: "is black and does not overprint" },
    );
}

pub(in crate::policy) fn black_line_knocks_out(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    smaller(
        scene,
        item,
        out,
        What::Line,
        Wrong { overlapping: true, is: knocks_out, says: "is black and does not overprint" },
    );
}

pub(in crate::policy) fn gray_text(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    smaller(
        scene,
        item,
        out,
        What::Text,
        Wrong { overlapping: true, is: is_gray, says: "is painted in DeviceGray" },
    );
}

pub(in crate::policy) fn gray_line(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    smaller(
        scene,
        item,
        out,
        What::Line,
        Wrong { overlapping: true, is: is_gray, says: "is painted in DeviceGray" },
    );
}

pub(in crate::policy) fn white_text(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    smaller(scene, item, out, What::Text, Wrong { overlapping: true, is: is_white, says: "is white" });
}

pub(in crate::policy) fn white_line(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    smaller(scene, item, out, What::Line, Wrong { overlapping: true, is: is_white, says: "is white" });
}

pub(in crate::policy) fn multi_text(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    smaller(
        scene,
        item,
        out,
        What::Text,
        Wrong { overlapping: false, is: is_multi, says: "has more than one colour component above nought" },
    );
}

pub(in crate::policy) fn multi_line(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    smaller(
        scene,
        item,
        out,
        What::Line,
        Wrong { overlapping: false, is: is_multi, says: "has more than one colour component above nought" },
    );
}

/// White that overprints, of the kinds that `matches` names.
fn white_overprint(scene: &Scene<'_>, out: &mut Outcome, matches: fn(&ElementKind) -> bool, what: &str) {
    let candidates = scene.elements().filter(|seen| {
        seen.element.overlapping && seen.element.paint.overprint && matches(&seen.element.kind)
    });
    for seen in candidates {
        match seen.colour.white() {
            Some(true) => {
                let how = if seen.stroked() { "stroked" } else { "filled" };
                out.push(Found::element(&seen, format!("{what} {how} with white overprints.")));
            }
            Some(false) => {}
            None => out.cannot(format!(
                "{what} that overprints on page {} has a colour that could not be determined.",
                seen.page.number
            )),
        }
    }
}

pub(in crate::policy) fn white_text_overprint(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    let shows = |kind: &ElementKind| matches!(kind, ElementKind::Text { mode, .. } if !matches!(mode, 3 | 7));
    white_overprint(scene, out, shows, "Text");
}

pub(in crate::policy) fn white_path_overprint(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    let path = |kind: &ElementKind| matches!(kind, ElementKind::Line { .. } | ElementKind::Path {});
    white_overprint(scene, out, path, "A path");
}

pub(in crate::policy) fn gray_overprint(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    let candidates = scene.elements().filter(|seen| seen.element.overlapping && seen.element.paint.overprint);
    for seen in candidates {
        match is_gray(&seen) {
            Some(true) => {
                let what = kind_phrase(&seen.element.kind);
                out.push(Found::element(&seen, format!("{what} in DeviceGray overprints.")));
            }
            Some(false) => {}
            None => out.cannot(format!(
                "Something that overprints on page {} has a colour space that could not be determined.",
                seen.page.number
            )),
        }
    }
}

/// What a sentence calls an element.
pub(super) fn kind_phrase(kind: &ElementKind) -> &'static str {
    match kind {
        ElementKind::Text { .. } => "Text",
        ElementKind::Line { .. } => "A line",
        ElementKind::Path {} => "A path",
        ElementKind::Image { mask: true, .. } => "An image mask",
        ElementKind::Image { .. } => "An image",
        ElementKind::Shading { .. } => "A shading",
    }
}

pub(in crate::policy) fn courier(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    for (seen, _) in scene.texts() {
        let ElementKind::Text { font, .. } = seen.element.kind else { continue };
        match font.and_then(|index| scene.facts.fonts.get(index)) {
            Some(font) if font.name == "Courier" => {
                out.push(Found::element(&seen, format!("Text is set in {}.", named(&font.name))));
            }
            Some(_) => {}
            None => out.cannot(format!("Text on page {} names a font that is missing.", seen.page.number)),
        }
    }
}

pub(in crate::policy) fn rich_black(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    let (Some(least), Some(most)) = (item.number("black"), item.number("sum")) else { return };
    for (seen, _) in scene.texts().filter(|(seen, _)| !seen.stroked()) {
        let unknown = seen.colour.values.is_none() && !seen.colour.pattern;
        if unknown && matches!(seen.colour.family(), Family::DeviceCMYK | Family::DeviceN | Family::Unknown) {
            out.cannot(format!(
                "Text on page {} has a colour that could not be determined.",
                seen.page.number
            ));
        }
        let Some((black, sum)) = seen.colour.rich_black() else { continue };
        if rounded(black) >= rounded(least) && rounded(sum) > rounded(most) {
            let (black, sum, most) = (black * 100.0, sum * 100.0, most * 100.0);
            let message = format!(
                "Text is filled with {} % black and {} % of the process inks together; {} % is the most.",
                shortest(black),
                shortest(sum),
                shortest(most)
            );
            out.push(
                Found::element(&seen, message)
                    .measured(Amount::number(sum, "%"))
                    .limit(Amount::number(most, "%")),
            );
        }
    }
}
