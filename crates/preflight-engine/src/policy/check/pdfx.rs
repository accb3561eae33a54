//! Listed checks of PDF/X-1a:2003, PDF/X-3:2003 and PDF/X-4: what most often breaks, not all that the standards ask.

use crate::{
    facts::{Family, OutputIntent, PrepressUse, Rect},
    policy::{
        Amount, RuleUse,
        colour::{Colour, resolve, rounded},
        scene::{Found, Outcome, Scene, Seen, in_points, named},
    },
};

use super::{
    listed::{X1A, X4},
    small::kind_phrase,
};

fn standard(item: &RuleUse) -> &str {
    item.text("standard").unwrap_or(X4)
}

pub(in crate::policy) fn claim(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    let wanted = standard(item);
    let source = if wanted == X4 { "xmp" } else { "info" };
    let claims = &scene.facts.document.claims;
    if !claims.iter().any(|claim| claim.standard == wanted && claim.source == source) {
        let others: Vec<String> = claims
            .iter()
            .take(4)
            .map(|claim| format!("{} in {}", named(&claim.standard), claim.source))
            .collect();
        let instead = if others.is_empty() { "nothing".to_owned() } else { others.join(", ") };
        out.push(Found::new(format!(
            "The file does not claim {wanted} in its {source}; it claims {instead}."
        )));
    }
}

pub(in crate::policy) fn version(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    let most = if standard(item) == X4 { "1.6" } else { "1.4" };
    match &scene.facts.file.header_version {
        None => out.push(Found::new("The file has no header.")),
        header => {
            // One digit on each side of the point, so they compare as text.
            for version in
                header.iter().chain(&scene.facts.document.catalog_version).filter(|own| own.as_str() > most)
            {
                let found = Found::new(format!("The file is PDF {}, above {most}.", named(version)));
                out.push(found.measured(Amount::word(version.clone())).limit(Amount::word(most)));
            }
        }
    }
}

fn intents<'a>(scene: &Scene<'a>) -> Vec<&'a OutputIntent> {
    scene.facts.output_intents.iter().filter(|intent| intent.subtype == "GTS_PDFX").collect()
}

pub(in crate::policy) fn one_intent(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    let count = intents(scene).len();
    if count != 1 {
        out.push(Found::new(format!("The file has {count} PDF/X output intents.")));
    }
}

pub(in crate::policy) fn intent_complete(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    for intent in intents(scene) {
        if intent.condition_identifier.as_deref().is_none_or(|text| text.trim().is_empty()) {
            out.push(Found::new("The output intent has no OutputConditionIdentifier."));
        }
        match &intent.profile {
            Some(profile) if profile.class == "prtr" => {}
            Some(profile) => {
                let message =
                    format!("The profile of the output intent is of class {}.", named(&profile.class));
                out.push(Found::new(message).object(profile.object));
            }
            None if intent.profile_reference => {
                out.cannot("The profile of the output intent lies outside the file.");
            }
            None if standard(item) != X4 && intent.registry.is_some() => {}
            None => out.push(Found::new("The output intent has no profile.")),
        }
    }
}

pub(in crate::policy) fn metadata(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    let metadata = &scene.facts.document.metadata;
    let missing = |value: Option<&String>| value.is_none_or(|value| value.trim().is_empty());
    if standard(item) != X4 {
        for key in ["Title", "CreationDate", "ModDate"].iter().filter(|key| missing(metadata.info.get(**key)))
        {
            out.push(Found::new(format!("The Info dictionary has no {key}.")));
        }
        return;
    }
    let Some(xmp) = &metadata.xmp else {
        out.push(Found::new("The file has no XMP metadata."));
        return;
    };
    if !xmp.well_formed {
        out.push(Found::new("The XMP metadata are no well-formed XML."));
    }
    let keys = [
        "dc:title",
        "xmp:CreateDate",
        "xmp:ModifyDate",
        "xmp:MetadataDate",
        "xmpMM:DocumentID",
        "xmpMM:VersionID",
        "xmpMM:RenditionClass",
    ];
    for key in keys.iter().filter(|key| missing(xmp.properties.get(**key))) {
        out.push(Found::new(format!("The XMP metadata have no {key}.")));
    }
}

pub(in crate::policy) fn trapped(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    let metadata = &scene.facts.document.metadata;
    let (place, value) = if standard(item) == X4 {
        ("XMP", metadata.xmp.as_ref().and_then(|xmp| xmp.properties.get("pdf:Trapped")))
    } else {
        ("Info", metadata.info.get("Trapped"))
    };
    let value = value.map(|value| value.trim_start_matches('/'));
    if !matches!(value, Some("True" | "False")) {
        let own = value.map_or_else(|| "is missing".to_owned(), |value| format!("is {}", named(value)));
        out.push(Found::new(format!("Trapped {own} in {place}.")));
    }
}

pub(in crate::policy) fn id(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    if !scene.facts.document.has_id {
        out.push(Found::new("The trailer has no ID."));
    }
}

fn contains(outer: Rect, inner: Rect) -> bool {
    let (outer, inner) = (outer.map(rounded), inner.map(rounded));
    outer[0] <= inner[0] && outer[1] <= inner[1] && outer[2] >= inner[2] && outer[3] >= inner[3]
}

pub(in crate::policy) fn boxes(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    for page in &scene.facts.pages {
        let boxes = &page.boxes;
        let mut wrong = |message: &str| out.push(Found::page(page, message));
        let Some(media) = boxes.media else {
            wrong("The page has no MediaBox.");
            continue;
        };
        let (name, product) = match (boxes.trim, boxes.art) {
            (Some(trim), None) => ("TrimBox", trim),
            (None, Some(art)) => ("ArtBox", art),
            (None, None) => {
                wrong("The page has neither TrimBox nor ArtBox.");
                continue;
            }
            (Some(_), Some(_)) => {
                wrong("The page has both TrimBox and ArtBox.");
                continue;
            }
        };
        if let Some(bleed) = boxes.bleed {
            if !contains(bleed, product) {
                wrong(&format!("The {name} reaches beyond the BleedBox."));
            }
            if !contains(media, bleed) {
                wrong("The BleedBox reaches beyond the MediaBox.");
            }
        }
        if !contains(media, product) {
            wrong(&format!("The {name} reaches beyond the MediaBox."));
        }
        if boxes.crop.is_some_and(|crop| !contains(media, crop)) {
            wrong("The CropBox reaches beyond the MediaBox.");
        }
    }
}

pub(in crate::policy) fn fonts(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    for font in scene.facts.fonts.iter().filter(|font| font.used && !font.embedded) {
        let found = Found::new(format!("The font {} is not embedded.", named(&font.name)));
        out.push(Found { page: font.pages.first().copied(), object: font.object, ..found });
    }
}

pub(in crate::policy) fn encryption(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    if let Some(encryption) = &scene.facts.file.encryption {
        out.push(Found::new(format!("The file is encrypted ({}).", named(&encryption.filter))));
    }
}

pub(in crate::policy) fn actions(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    for action in &scene.facts.document.actions {
        let found =
            Found::new(format!("There is an action of kind {} ({}).", named(&action.kind), action.place));
        out.push(Found { page: action.page, object: action.object, ..found });
    }
}

pub(in crate::policy) fn annotations(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    let fields = scene.facts.document.form_fields;
    if fields > 0 || scene.facts.document.xfa {
        out.push(Found { count: u64::from(fields.max(1)), ..Found::new("The file has form fields.") });
    }
    for page in &scene.facts.pages {
        let product = page.boxes.bleed.or(page.boxes.trim).or(page.boxes.art).or(page.boxes.media);
        let kept = |kind: &str| matches!(kind, "TrapNet" | "PrinterMark");
        for annotation in page.annotations.iter().filter(|annotation| !kept(&annotation.kind)) {
            let on_product = match (annotation.rect, product) {
                (Some(rect), Some(product)) => {
                    rect[0] < product[2]
                        && product[0] < rect[2]
                        && rect[1] < product[3]
                        && product[1] < rect[3]
                }
                _ => true,
            };
            if on_product {
                let found = Found::page(
                    page,
                    format!("An annotation ({}) is on the product.", named(&annotation.kind)),
                );
                let bbox_mm =
                    in_points(page, annotation.rect).and_then(|rect| crate::policy::scene::in_mm(page, rect));
                out.push(Found { bbox_mm, ..found.object(annotation.object) });
            }
        }
    }
}

/// The kind of a use in words, where it is forbidden.
fn forbidden(item: &PrepressUse) -> Option<&'static str> {
    let detail = item.detail.as_deref().unwrap_or_default();
    Some(match item.kind.as_str() {
        "transfer_function" if detail != "Default" => "a transfer function",
        "halftone" if !matches!(detail.trim_start_matches("type ").trim(), "1" | "5") => {
            "a halftone of another type than 1 or 5"
        }
        "halftone_name" => "a halftone with a name",
        "halftone_phase" => "a halftone phase",
        "opi" => "OPI",
        "postscript" => "PostScript",
        "alternate_image" => "an alternate image",
        "reference_xobject" => "a reference to a page of another file",
        "external_stream" => "a stream that lies outside the file",
        "preseparated" => "preseparated pages",
        _ => return None,
    })
}

pub(in crate::policy) fn prepress(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    for item in &scene.facts.document.prepress {
        if let Some(what) = forbidden(item) {
            let found = Found::new(format!("The file uses {what}."));
            out.push(Found { page: item.page, object: item.object, ..found });
        }
    }
}

pub(in crate::policy) fn filters(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    for item in &scene.facts.document.prepress {
        let name = match item.kind.as_str() {
            "lzw" => "LZW",
            "jbig2" => "JBIG2",
            "jpx" => "JPEG 2000",
            _ => continue,
        };
        let found = Found::new(format!("A stream is compressed with {name}."));
        out.push(Found { page: item.page, object: item.object, ..found });
    }
}

pub(in crate::policy) fn transparency(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    for page in &scene.facts.pages {
        if page.transparency {
            out.push(Found::page(page, "The page uses transparency."));
        } else if page.group.is_some() || !page.groups.is_empty() {
            out.push(Found::page(page, "The page has a transparency group."));
        }
    }
}

pub(in crate::policy) fn colours(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    let profile =
        intents(scene).first().and_then(|intent| intent.profile.as_ref()).map(|profile| profile.space.trim());
    for page in &scene.facts.pages {
        // PDF/X asks this of everything, also of what is hidden.
        for element in &page.elements {
            let seen = Seen { page, element, colour: Colour::of(scene.facts, &element.paint) };
            let Some(space) = seen.colour.space.filter(|space| space.family != Family::Unknown) else {
                if element.paint.pattern.as_deref() != Some("tiling") {
                    let what = kind_phrase(&element.kind);
                    out.cannot(format!(
                        "{what} on page {} has a colour space that could not be read.",
                        page.number
                    ));
                }
                continue;
            };
            let alternate = matches!(space.family, Family::Separation | Family::DeviceN)
                .then(|| resolve(scene.facts, space.base).map(|(_, alternate)| alternate.family))
                .flatten();
            for family in [Some(space.family), alternate].into_iter().flatten() {
                if !is_allowed(standard(item), family, profile) {
                    let what = kind_phrase(&element.kind);
                    let condition =
                        profile.map_or_else(String::new, |profile| format!(", the output intent {profile}"));
                    out.push(Found::element(&seen, format!("{what} is in {family:?}{condition}.")));
                }
            }
        }
    }
}

fn is_allowed(standard: &str, family: Family, profile: Option<&str>) -> bool {
    match family {
        Family::DeviceGray | Family::Separation | Family::DeviceN | Family::Indexed | Family::Pattern => true,
        // Without a profile the condition is one of a registry, all of which are CMYK.
        Family::DeviceCMYK => profile.is_none_or(|profile| profile == "CMYK"),
        Family::DeviceRGB => standard != X1A && profile == Some("RGB"),
        _ => standard != X1A,
    }
}

pub(in crate::policy) fn layers(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    let Some(layers) = &scene.facts.layers else { return };
    if standard(item) != X4 {
        out.push(Found::new(format!("The file has layers, which {} does not know.", standard(item))));
    } else if layers.automatic_states {
        out.push(Found::new("The layers switch themselves on and off (AS)."));
    }
}
