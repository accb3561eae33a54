//! R0027 to R0029: which colour spaces elements and their alternates may be in.

use crate::{
    facts::{ElementKind, Family, Space},
    policy::{
        RuleUse,
        colour::resolve,
        scene::{Found, Outcome, Scene, Seen},
    },
};

use super::small::kind_phrase;

/// A colour space as the rules tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    DeviceRgb,
    CalRgb,
    CalGray,
    IccGray,
    IccRgb,
    IccCmyk,
    /// ICCBased with other components, or Lab data.
    IccOther,
    Lab,
}

use Class::{CalGray, CalRgb, DeviceRgb, IccCmyk, IccGray, IccOther, IccRgb, Lab};

impl Class {
    fn phrase(self) -> &'static str {
        match self {
            DeviceRgb => "DeviceRGB",
            CalRgb => "CalRGB",
            CalGray => "CalGray",
            IccGray => "ICCBased gray",
            IccRgb => "ICCBased RGB",
            IccCmyk => "ICCBased CMYK",
            IccOther => "an ICCBased space",
            Lab => "Lab",
        }
    }
}

fn class(space: &Space) -> Option<Class> {
    Some(match space.family {
        Family::DeviceRGB => DeviceRgb,
        Family::CalRGB => CalRgb,
        Family::CalGray => CalGray,
        Family::Lab => Lab,
        Family::ICCBased => match space.profile.as_ref().map(|profile| profile.space.trim()) {
            Some("GRAY") => IccGray,
            Some("RGB") => IccRgb,
            Some("CMYK") => IccCmyk,
            Some(_) => IccOther,
            None => match space.components {
                1 => IccGray,
                3 => IccRgb,
                4 => IccCmyk,
                _ => IccOther,
            },
        },
        _ => return None,
    })
}

/// What a kind of binding forbids: of images that are no masks, of everything else, as alternate.
struct Forbidden {
    images: &'static [Class],
    others: &'static [Class],
    alternates: &'static [Class],
}

const EARLY: Forbidden = Forbidden {
    images: &[DeviceRgb, CalRgb, CalGray, IccGray, IccRgb, IccCmyk, IccOther, Lab],
    others: &[DeviceRgb, CalRgb, CalGray, IccGray, IccRgb, IccCmyk, IccOther, Lab],
    alternates: &[DeviceRgb, CalRgb, CalGray, IccGray, IccRgb, IccCmyk, IccOther],
};

const INTERMEDIATE: Forbidden = Forbidden {
    images: &[DeviceRgb, CalGray, IccGray, IccCmyk],
    others: &[DeviceRgb, CalRgb, CalGray, IccGray, IccRgb, IccCmyk, IccOther, Lab],
    alternates: &[DeviceRgb, CalGray, IccGray, IccCmyk],
};

const LATE: Forbidden = Forbidden {
    images: &[DeviceRgb, CalGray, IccGray],
    others: &[DeviceRgb, CalRgb, CalGray, IccGray, IccCmyk],
    alternates: &[DeviceRgb, CalGray, IccGray],
};

fn judge(scene: &Scene<'_>, out: &mut Outcome, forbidden: &Forbidden) {
    for seen in scene.elements() {
        let Some(space) = seen.colour.space.filter(|space| space.family != Family::Unknown) else {
            // The cell of a tiling pattern is made of elements of its own.
            if seen.element.paint.pattern.as_deref() != Some("tiling") {
                unknown(&seen, out);
            }
            continue;
        };
        let what = kind_phrase(&seen.element.kind);
        let is_image = matches!(seen.element.kind, ElementKind::Image { mask: false, .. });
        let spaces = if is_image { forbidden.images } else { forbidden.others };
        if let Some(class) = class(space).filter(|class| spaces.contains(class)) {
            out.push(Found::element(&seen, format!("{what} is in {}.", class.phrase())));
        }
        if !matches!(space.family, Family::Separation | Family::DeviceN) {
            continue;
        }
        match resolve(scene.facts, space.base) {
            Some((_, alternate)) => {
                if let Some(class) = class(alternate).filter(|class| forbidden.alternates.contains(class)) {
                    let message = format!("{what} is in a space whose alternate is {}.", class.phrase());
                    out.push(Found::element(&seen, message));
                }
            }
            None => unknown(&seen, out),
        }
    }
}

fn unknown(seen: &Seen<'_>, out: &mut Outcome) {
    let what = kind_phrase(&seen.element.kind);
    out.cannot(format!(
        "{what} on page {} has a colour space that could not be determined.",
        seen.page.number
    ));
}

pub(in crate::policy) fn early(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    judge(scene, out, &EARLY);
}

pub(in crate::policy) fn intermediate(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    judge(scene, out, &INTERMEDIATE);
}

pub(in crate::policy) fn late(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    judge(scene, out, &LATE);
}
