//! P0001 to P0004: the file is the product that the job asks for.

use crate::{
    facts::{Page, Rect},
    policy::{
        Amount, RuleUse,
        report::shortest,
        scene::{Found, Outcome, Scene, in_points, mm, trim},
    },
};

/// Millimetres that a box may be off where a policy says nothing: what programs lose by rounding.
const TOLERANCE_MM: f64 = 0.1;

/// Noise of numbers in files, in millimetres.
const NOISE_MM: f64 = 0.001;

pub(in crate::policy) fn trim_size(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    let of_policy = item.number("width_mm").zip(item.number("height_mm"));
    let Some((width, height)) = of_policy.or(scene.intent.trim_mm.map(|[width, height]| (width, height)))
    else {
        out.cannot("Neither the policy nor the job states a trim size.");
        return;
    };
    let tolerance = item.number("tolerance_mm").unwrap_or(TOLERANCE_MM) + NOISE_MM;
    for page in &scene.facts.pages {
        let Some(trim) = trim(page) else {
            out.cannot(format!("Page {} has no boxes.", page.number));
            continue;
        };
        let turned = page.rotate.rem_euclid(180) == 90;
        let size = [mm(trim[2] - trim[0]), mm(trim[3] - trim[1])];
        let scale = scene.scaling_on(page);
        let [own_width, own_height] = if turned { [size[1], size[0]] } else { size }.map(|side| side * scale);
        if (own_width - width).abs() > tolerance || (own_height - height).abs() > tolerance {
            let words = |width, height| format!("{} by {} mm", shortest(width), shortest(height));
            let message =
                format!("The page is {}, not {}.", words(own_width, own_height), words(width, height));
            out.push(
                Found::page(page, message)
                    .measured(Amount::word(words(own_width, own_height)))
                    .limit(Amount::word(words(width, height))),
            );
        }
    }
}

/// How far a box reaches beyond another on each side, in millimetres: left, bottom, right, top.
fn beyond(outer: Rect, inner: Rect) -> [f64; 4] {
    [inner[0] - outer[0], inner[1] - outer[1], outer[2] - inner[2], outer[3] - inner[3]].map(mm)
}

fn clipped(rect: Rect, by: Rect) -> Rect {
    [rect[0].max(by[0]), rect[1].max(by[1]), rect[2].min(by[2]), rect[3].min(by[3])]
}

/// The bleed that a page has: its BleedBox, which does not reach beyond the MediaBox, against the TrimBox.
fn bleed_of(page: &Page) -> Option<[f64; 4]> {
    let media = in_points(page, page.boxes.media)?;
    let trim = in_points(page, page.boxes.trim)?;
    let bleed = in_points(page, page.boxes.bleed)?;
    Some(beyond(clipped(bleed, media), trim))
}

pub(in crate::policy) fn bleed(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    let Some(wanted) = item.number("at_least_mm").or(scene.intent.bleed_mm) else {
        out.cannot("Neither the policy nor the job states a bleed.");
        return;
    };
    for page in &scene.facts.pages {
        let own = bleed_of(page)
            .map(|sides| sides.into_iter().fold(f64::INFINITY, f64::min) * scene.scaling_on(page));
        let message = match own {
            None if wanted > 0.0 => "The page has no TrimBox with a BleedBox around it.".to_owned(),
            Some(own) if own + NOISE_MM < wanted => {
                format!(
                    "The bleed is {} mm on its narrowest side; {} mm is asked for.",
                    shortest(own),
                    shortest(wanted)
                )
            }
            _ => continue,
        };
        let measured = own.map_or_else(|| Amount::word("none"), |own| Amount::number(own, "mm"));
        out.push(Found::page(page, message).measured(measured).limit(Amount::number(wanted, "mm")));
    }
}

pub(in crate::policy) fn page_count(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    let Some(wanted) = item.number("pages").or(scene.intent.pages.map(f64::from)) else {
        out.cannot("Neither the policy nor the job states a number of pages.");
        return;
    };
    let own = f64::from(u32::try_from(scene.facts.pages.len()).unwrap_or(u32::MAX));
    if own != wanted {
        let message = format!("The file has {} pages, not {}.", shortest(own), shortest(wanted));
        out.push(Found::new(message).measured(Amount::number(own, "")).limit(Amount::number(wanted, "")));
    }
}

/// By the box around all ink: it finds a side on which the page's ink reaches the trim and ends before the bleed does.
pub(in crate::policy) fn bleed_filled(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    for page in &scene.facts.pages {
        let (Some(ink), Some(trim), Some(bleed)) =
            (page.ink_box, in_points(page, page.boxes.trim), in_points(page, page.boxes.bleed))
        else {
            continue;
        };
        let (ink, room) = (beyond(ink, trim), beyond(bleed, trim));
        for (side, name) in ["left", "bottom", "right", "top"].iter().enumerate() {
            if ink[side] >= -NOISE_MM && ink[side] + NOISE_MM < room[side] {
                let message = format!(
                    "What reaches the {name} edge of the trim ends {} mm beyond it; the bleed is {} mm.",
                    shortest(ink[side].max(0.0)),
                    shortest(room[side])
                );
                out.push(
                    Found::page(page, message)
                        .measured(Amount::number(ink[side].max(0.0), "mm"))
                        .limit(Amount::number(room[side], "mm")),
                );
            }
        }
    }
}
