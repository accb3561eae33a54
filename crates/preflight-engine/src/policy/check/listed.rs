//! Lists of checks of PDF/X, run as one rule: R0001 and D0003.

use crate::policy::{
    RuleUse, Severity,
    rules::{self, Judge},
    scene::{Found, Outcome, Scene, named},
};

/// PDF/X-1a:2003.
pub(in crate::policy) const X1A: &str = "PDF/X-1a:2003";
/// PDF/X-3:2003.
pub(in crate::policy) const X3: &str = "PDF/X-3:2003";
/// PDF/X-4.
pub(in crate::policy) const X4: &str = "PDF/X-4";

const STANDARDS: [&str; 3] = [X1A, X3, X4];

/// The standards whose checks are listed.
pub(in crate::policy) fn standards() -> &'static [&'static str] {
    &STANDARDS
}

/// The listed checks of a standard.
pub(in crate::policy) fn listed(standard: &str) -> Vec<RuleUse> {
    let all = rules::all().filter(|rule| rule.id.starts_with('X'));
    all.filter(|rule| standard != X4 || !matches!(rule.id, "X0014" | "X0015"))
        .map(|rule| {
            let item = RuleUse::new(rule.id, Severity::Error);
            if rule.parameters.is_empty() { item } else { item.with_text("standard", standard) }
        })
        .collect()
}

/// R0001. Whatever breaks PDF/X-4 is one finding with the listed check's id.
pub(in crate::policy) fn base_standard(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    out.notes.push("Listed checks of PDF/X-4 were made; that is no certification of conformance.".to_owned());
    run(scene, X4, out);
}

/// D0003.
pub(in crate::policy) fn as_claimed(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    let mut claims: Vec<&str> =
        scene.facts.document.claims.iter().map(|claim| claim.standard.as_str()).collect();
    claims.retain(|claim| claim.starts_with("PDF/X"));
    claims.sort_unstable();
    claims.dedup();
    if claims.is_empty() {
        out.notes.push("The file claims no PDF/X.".to_owned());
    }
    for claim in claims {
        match STANDARDS.iter().find(|standard| **standard == claim) {
            Some(standard) => run(scene, standard, out),
            None => out.cannot(format!("The file claims {}, whose checks are not listed.", named(claim))),
        }
    }
}

fn run(scene: &Scene<'_>, standard: &str, out: &mut Outcome) {
    if !scene.facts.file.readable {
        out.push(Found::new("The file could not be opened as a PDF."));
        return;
    }
    for item in listed(standard) {
        let Some(rule) = rules::find(&item.rule) else { continue };
        let Judge::By(check) = rule.judge else { continue };
        let mut part = Outcome::default();
        check(scene, &item, &mut part);
        for mut found in part.found {
            found.message = format!("{standard}: {}", found.message);
            out.push(Found { check: Some(rule.id), mend: Some(rule.mend), ..found });
        }
        out.left_off += part.left_off;
        out.plain += part.left_off;
        for reason in part.not_evaluated {
            out.cannot(format!("{} ({}): {reason}", rule.id, rule.title));
        }
    }
}
