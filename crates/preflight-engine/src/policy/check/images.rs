//! R0031 to R0033: resolution of images, by the smaller axis.

use crate::{
    facts::ElementKind,
    policy::{
        Amount, RuleUse, Severity,
        colour::rounded,
        report::shortest,
        scene::{Found, Outcome, Scene, Seen},
    },
};

/// An image as the rules see it.
#[derive(Debug, Clone, Copy)]
struct Image {
    ppi: f64,
    one_bit: bool,
    /// Wider or higher than 16 pixels.
    large: bool,
    covers_trim: bool,
}

fn image(seen: &Seen<'_>) -> Option<Image> {
    match seen.element.kind {
        ElementKind::Image { width, height, bits, mask, ppi_x, ppi_y, covers_trim, .. } => Some(Image {
            ppi: ppi_x.min(ppi_y),
            one_bit: mask || bits == 1,
            large: width > 16 || height > 16,
            covers_trim,
        }),
        _ => None,
    }
}

/// Whether this is the one image that its page consists of, which R0033 judges.
fn is_whole_page(scene: &Scene<'_>, seen: &Seen<'_>, image: Image) -> bool {
    let is_alone = || scene.elements_of(seen.page).take(2).count() == 1 && seen.element.places.count <= 1;
    !image.one_bit && image.covers_trim && is_alone()
}

fn judge(
    scene: &Scene<'_>,
    item: &RuleUse,
    out: &mut Outcome,
    seen: &Seen<'_>,
    (image, what): (Image, &str),
) {
    let limit = |name| item.number(name).map(|limit| scene.resolution_limit(limit, seen.page));
    let fails = |limit: &f64| rounded(image.ppi) <= rounded(*limit);
    let (severity, limit) = if let Some(limit) = limit("error_ppi").filter(fails) {
        (Severity::Error, limit)
    } else if let Some(limit) = limit("warning_ppi").filter(fails) {
        (Severity::Warning, limit)
    } else {
        return;
    };
    let message =
        format!("{what} has {} ppi; more than {} is asked for.", shortest(image.ppi), shortest(limit));
    out.push(
        Found::element(seen, message)
            .severity(severity)
            .measured(Amount::number(image.ppi, "ppi"))
            .limit(Amount::number(limit, "ppi")),
    );
}

pub(in crate::policy) fn contone(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    for seen in scene.elements() {
        if let Some(image) = image(&seen).filter(|image| !image.one_bit && image.large)
            && !is_whole_page(scene, &seen, image)
        {
            judge(scene, item, out, &seen, (image, "An image"));
        }
    }
}

pub(in crate::policy) fn one_bit(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    for seen in scene.elements() {
        if let Some(image) = image(&seen).filter(|image| image.one_bit && image.large) {
            judge(scene, item, out, &seen, (image, "A 1-bit image"));
        }
    }
}

pub(in crate::policy) fn whole_page(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    for seen in scene.elements() {
        if let Some(image) = image(&seen)
            && is_whole_page(scene, &seen, image)
        {
            judge(scene, item, out, &seen, (image, "The image that the page consists of"));
        }
    }
}
