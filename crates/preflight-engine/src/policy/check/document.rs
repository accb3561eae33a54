//! R0034 to R0037 and what concerns any document.

use crate::policy::{
    Amount, RuleUse,
    report::shortest,
    scene::{Found, Outcome, Scene, named},
};

pub(in crate::policy) fn no_configs(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    if let Some(count) = scene.facts.layers.as_ref().and_then(|layers| layers.alternate_configurations) {
        out.push(Found::new(format!("The layers have Configs, with {count} alternate configurations.")));
    }
}

pub(in crate::policy) fn cmyk_intent(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    let mut intents =
        scene.facts.output_intents.iter().filter(|intent| intent.subtype == "GTS_PDFX").peekable();
    if intents.peek().is_none() {
        out.push(Found::new("The file has no PDF/X output intent."));
    }
    for intent in intents {
        match &intent.profile {
            Some(profile) if profile.space.trim() == "CMYK" => {}
            Some(profile) => {
                let message =
                    format!("The profile of the output intent is {}, not CMYK.", named(profile.space.trim()));
                out.push(
                    Found::new(message).object(profile.object).measured(Amount::word(profile.space.trim())),
                );
            }
            None if intent.profile_reference => {
                out.cannot("The profile of the output intent lies outside the file.");
            }
            None => out.push(Found::new("The output intent has no profile.")),
        }
    }
}

pub(in crate::policy) fn layers_on(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    for layer in scene.facts.layers.iter().flat_map(|layers| &layers.groups).filter(|layer| !layer.on) {
        out.push(Found::new(format!("The layer {} is off.", named(&layer.name))).object(layer.object));
    }
}

/// R0037 asks nothing: it says that the factors apply, and they do (`Scene::scaling_on`).
pub(in crate::policy) fn scaling(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    out.notes.push(format!(
        "Limits were taken at a scaling factor of {} and a viewing distance of {} m.",
        shortest(scene.scaling),
        shortest(scene.distance)
    ));
}

pub(in crate::policy) fn opens(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    let file = &scene.facts.file;
    if file.encryption.as_ref().is_some_and(|encryption| !encryption.opened) {
        out.push(Found::new("The file is encrypted and opens with a password alone."));
    } else if !file.readable {
        out.push(Found::new("The file could not be opened as a PDF."));
    } else if scene.facts.pages.is_empty() && scene.facts.limits.is_empty() {
        out.push(Found::new("The file has no page."));
    }
}

pub(in crate::policy) fn sound(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    for damage in &scene.facts.file.damage {
        let found = Found::new(format!("{} ({})", damage.detail, damage.kind));
        out.push(Found { page: damage.page, object: damage.object, ..found });
    }
}

pub(in crate::policy) fn javascript(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    for action in scene.facts.document.actions.iter().filter(|action| action.kind == "JavaScript") {
        let found = Found::new(format!("There is JavaScript ({}).", action.place));
        out.push(Found { page: action.page, object: action.object, ..found });
    }
}

pub(in crate::policy) fn embedded(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    for file in &scene.facts.document.embedded_files {
        let kind = file.mime.as_deref().map_or_else(String::new, |mime| format!(" of type {}", named(mime)));
        out.push(Found::new(format!("A file{kind} is attached.")).object(file.object));
    }
}
