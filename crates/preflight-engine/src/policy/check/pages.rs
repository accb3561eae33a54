//! R0002 to R0006 and R0030: pages and their boxes.

use crate::{
    facts::{Family, Group, Page},
    policy::{
        Amount, RuleUse,
        colour::{resolve, rounded},
        report::shortest,
        scene::{Found, Outcome, Scene, mm, trim},
    },
};

pub(in crate::policy) fn user_unit(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    for page in &scene.facts.pages {
        if let Some(unit) = page.user_unit {
            let message = format!("The page has a UserUnit of {}.", shortest(unit));
            out.push(Found::page(page, message).measured(Amount::number(unit, "")));
        }
    }
}

pub(in crate::policy) fn crop_is_media(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    for page in &scene.facts.pages {
        let Some(crop) = page.boxes.crop else { continue };
        let same = page.boxes.media.is_some_and(|media| media.map(rounded) == crop.map(rounded));
        if !same {
            out.push(Found::page(page, "The CropBox is not the MediaBox."));
        }
    }
}

/// Width and height of a page's TrimBox in points.
fn size(page: &Page) -> Option<[f64; 2]> {
    trim(page).map(|[left, bottom, right, top]| [rounded(right - left), rounded(top - bottom)])
}

/// A size in millimetres for a person.
pub(super) fn in_words(size: [f64; 2]) -> String {
    format!("{} by {} mm", shortest(mm(size[0])), shortest(mm(size[1])))
}

pub(in crate::policy) fn one_size(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    let first = scene.facts.pages.first().and_then(size);
    for page in &scene.facts.pages {
        if page.rotate != 0 {
            let message = format!("The page has a Rotate of {}.", page.rotate);
            out.push(Found::page(page, message).measured(Amount::word(page.rotate.to_string())));
        }
        match (size(page), first) {
            (Some(own), Some(first)) if own != first => {
                let message = format!("The page is {}, the first one {}.", in_words(own), in_words(first));
                let found = Found::page(page, message).measured(Amount::word(in_words(own)));
                out.push(found.limit(Amount::word(in_words(first))));
            }
            (Some(_), Some(_)) => {}
            _ => out.cannot(format!("Page {} or the first one has no boxes.", page.number)),
        }
    }
}

pub(in crate::policy) fn not_empty(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    for page in scene.facts.pages.iter().filter(|page| !page.inked) {
        out.push(Found::page(page, "The page is empty: nothing on it takes ink."));
    }
}

pub(in crate::policy) fn one_page(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    let count = scene.facts.pages.len();
    if count != 1 {
        let number = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let found = Found::new(format!("The file has {count} pages.")).measured(Amount::number(number, ""));
        out.push(found.limit(Amount::number(1.0, "")));
    }
}

pub(in crate::policy) fn blending(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    for page in &scene.facts.pages {
        for group in page.group.iter().chain(&page.groups) {
            blending_of(scene, page, group, out);
        }
    }
}

fn blending_of(scene: &Scene<'_>, page: &Page, group: &Group, out: &mut Outcome) {
    if group.space.is_none() {
        return;
    }
    let family = resolve(scene.facts, group.space).map(|(_, space)| space.family);
    let is_luminosity = group.soft_mask.as_deref() == Some("luminosity");
    match family {
        Some(Family::DeviceCMYK) => {}
        Some(Family::DeviceGray) if is_luminosity => {}
        Some(Family::Unknown) | None => {
            out.cannot(format!(
                "A transparency group on page {} has a colour space that could not be read.",
                page.number
            ));
        }
        Some(family) => {
            let what = match (&group.soft_mask, page.group.as_ref() == Some(group)) {
                (Some(_), _) => "The group of a soft mask",
                (None, true) => "The page",
                (None, false) => "A transparency group",
            };
            let found = Found::page(page, format!("{what} is blended in {family:?}."));
            out.push(
                found.object(group.object.or(page.object)).measured(Amount::word(format!("{family:?}"))),
            );
        }
    }
}
