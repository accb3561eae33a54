//! R1001 and R1002: processing steps.

use std::collections::BTreeSet;

use crate::policy::{
    RuleUse, gwg,
    scene::{Found, Outcome, Scene, named},
};

/// Steps that the layers declare, as `Group/Step`.
fn declared(scene: &Scene<'_>) -> BTreeSet<String> {
    let groups = scene.facts.layers.iter().flat_map(|layers| &layers.groups);
    groups
        .filter_map(|layer| layer.step.as_ref())
        .map(|step| format!("{}/{}", step.group, step.step))
        .collect()
}

/// The product type: of the policy, else of the job.
pub(in crate::policy) fn product_type<'a>(scene: &Scene<'a>, item: &'a RuleUse) -> Option<&'a str> {
    item.text("product_type").or(scene.intent.product_type.as_deref())
}

pub(in crate::policy) fn by_product(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    let Some(product_type) = product_type(scene, item) else {
        out.cannot("The job states no product type, by which processing steps are judged.");
        return;
    };
    let Some(steps) = gwg::steps_of(product_type) else {
        out.cannot(format!("The product type {} is not known.", named(product_type)));
        return;
    };
    let declared = declared(scene);
    for step in steps.required.iter().filter(|step| !declared.contains(*step)) {
        out.push(Found::new(format!(
            "The processing step {step} is missing, which {product_type} requires."
        )));
    }
    for step in steps.not_allowed.iter().filter(|step| declared.contains(*step)) {
        out.push(Found::new(format!("The processing step {step} is not allowed for {product_type}.")));
    }
    for step in steps.recommended.iter().filter(|step| !declared.contains(*step)) {
        out.notes
            .push(format!("The processing step {step} is recommended for {product_type} and is missing."));
    }
}

pub(in crate::policy) fn creasing(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    let declared = declared(scene);
    if ["Structural/Creasing", "Structural/ReverseCreasing"].iter().any(|step| declared.contains(*step)) {
        return;
    }
    // A variant for all packaging asks this of what is creased; a product type whose own variant does not is none of it.
    match scene.intent.product_type.as_deref() {
        Some(product_type) if !gwg::asks_for_creasing(product_type) => {
            out.notes.push(format!("A creasing step is not asked of {product_type}."));
        }
        _ => out.push(Found::new("No layer is a creasing step.")),
    }
}
