//! From facts and a policy to a report. Pure, and microseconds on ordinary files.

use super::{
    Counts, Finding, Intent, Policy, PolicyRef, REPORT_SCHEMA, Report, RuleResult, RuleUse, Severity, Status,
    Used, Verdict,
    check::steps,
    report::shortest,
    rules::{self, Judge, Reads, Rule},
    scene::{Outcome, Scene},
};
use crate::facts::Facts;

/// Judges facts by a policy. What the job states of its product is judged too, whatever the policy.
///
/// A rule that the catalogue does not know (a policy that was not validated) is not evaluated.
#[must_use]
pub fn evaluate(policy: &Policy, facts: &Facts, intent: &Intent) -> Report {
    let has_scaling = policy.rules.iter().any(|item| item.rule == "R0037");
    let factor = |value: Option<f64>| value.filter(|value| has_scaling && *value > 0.0).unwrap_or(1.0);
    let scene = Scene {
        facts,
        intent,
        scaling: factor(intent.scaling_factor),
        distance: factor(intent.viewing_distance_m),
    };
    let mut report = Report {
        schema: REPORT_SCHEMA,
        engine: facts.engine.clone(),
        policy: PolicyRef { id: policy.id.clone(), version: policy.version, title: policy.title.clone() },
        verdict: Verdict::Incomplete,
        counts: Counts::default(),
        used: used(policy, &scene, has_scaling),
        rules: Vec::new(),
        findings: Vec::new(),
    };
    let of_intent = intent_rules(policy, intent);
    let mut unknown = false;
    for item in policy.rules.iter().chain(&of_intent) {
        let rule = rules::find(&item.rule);
        let outcome = judge(rule, item, &scene);
        unknown |= may_hide_more(rule, &outcome);
        add(&mut report, policy, rule, item, outcome);
    }
    report.verdict = verdict(report.counts, unknown);
    report
}

/// Rules of what the job states and the policy does not have.
fn intent_rules(policy: &Policy, intent: &Intent) -> Vec<RuleUse> {
    let stated = [
        ("P0001", intent.trim_mm.is_some()),
        ("P0002", intent.bleed_mm.is_some()),
        ("P0003", intent.pages.is_some()),
    ];
    stated
        .iter()
        .filter(|(id, stated)| *stated && !policy.rules.iter().any(|item| item.rule == *id))
        .map(|(id, _)| RuleUse::new(id, Severity::Error))
        .collect()
}

fn judge(rule: Option<&Rule>, item: &RuleUse, scene: &Scene<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(rule) = rule else {
        outcome.cannot("The catalogue of this version does not know the rule.");
        return outcome;
    };
    match rule.judge {
        Judge::NotYet(reason) => outcome.cannot(reason),
        Judge::By(check) => {
            // Of a file that did not open, nothing but that is known; R0001 says that it is no PDF/X.
            if scene.facts.file.readable || rule.reads == Reads::File || matches!(rule.id, "R0001" | "D0003")
            {
                check(scene, item, &mut outcome);
                cut(rule, scene.facts, &mut outcome);
            } else {
                outcome.cannot("The file could not be opened.");
            }
        }
    }
    outcome
}

/// What was left out of the reading is a reason not to say `pass`.
fn cut(rule: &Rule, facts: &Facts, outcome: &mut Outcome) {
    for hit in facts.limits.iter().filter(|hit| rule.is_cut_by(hit)) {
        let place = hit.page.map_or_else(String::new, |page| format!(" on page {page}"));
        outcome.cannot(format!("Reading stopped{place} at the limit {} of {}.", hit.budget, hit.limit));
    }
    for damage in facts.file.damage.iter().filter(|damage| rule.is_hurt_by(damage)) {
        let place = damage.page.map_or_else(String::new, |page| format!(" on page {page}"));
        outcome.cannot(format!("Damage left something out{place} ({}).", damage.kind));
    }
    if rule.reads == Reads::Content
        && let Some(page) = facts.pages.iter().find(|page| page.elements_left_off > 0)
    {
        outcome.cannot(format!("Page {} has more different elements than are kept.", page.number));
    }
}

fn add(report: &mut Report, policy: &Policy, rule: Option<&Rule>, item: &RuleUse, outcome: Outcome) {
    let own = item.severity.unwrap_or(Severity::Error);
    let total = outcome.total();
    let status = match (total, outcome.not_evaluated.is_empty()) {
        (0, true) => Status::Pass,
        (0, false) => Status::NotEvaluated,
        _ => Status::Fail,
    };
    let counts = &mut report.counts;
    match status {
        Status::Pass => counts.passed += 1,
        Status::Fail => counts.failed += 1,
        Status::NotEvaluated => counts.not_evaluated += 1,
    }
    counts.errors += outcome.errors + if own == Severity::Error { outcome.plain } else { 0 };
    counts.warnings += outcome.warnings + if own == Severity::Warning { outcome.plain } else { 0 };
    report.rules.push(RuleResult {
        rule: item.rule.clone(),
        title: rule.map_or("Unknown rule", |rule| rule.title).to_owned(),
        severity: item.severity,
        limits: item.limits.clone(),
        status,
        not_evaluated: outcome.not_evaluated,
        violations: total,
        left_off: outcome.left_off,
        notes: outcome.notes,
    });
    report.findings.extend(outcome.found.into_iter().map(|found| Finding {
        rule: item.rule.clone(),
        check: found.check.map(str::to_owned),
        policy_version: policy.version,
        severity: found.severity.unwrap_or(own),
        message: found.message,
        mend: found.mend.or(rule.map(|rule| rule.mend)).unwrap_or_default().to_owned(),
        page: found.page,
        bbox_mm: found.bbox_mm,
        object: found.object,
        operator: found.operator,
        measured: found.measured,
        limit: found.limit,
        count: found.count,
    }));
}

/// Whether what could not be judged might change the verdict: of a rule that has nothing, or that has warnings where it
/// could also have errors.
fn may_hide_more(rule: Option<&Rule>, outcome: &Outcome) -> bool {
    let decided =
        outcome.plain > 0 || outcome.errors > 0 || (outcome.warnings > 0 && !rule.is_some_and(Rule::tiers));
    !outcome.not_evaluated.is_empty() && !decided
}

/// A found error is an error whatever else is unknown; after it, what is unknown goes before what is well.
fn verdict(counts: Counts, unknown: bool) -> Verdict {
    if counts.errors > 0 {
        Verdict::Fail
    } else if unknown {
        Verdict::Incomplete
    } else if counts.warnings > 0 {
        Verdict::PassWithWarnings
    } else {
        Verdict::Pass
    }
}

fn used(policy: &Policy, scene: &Scene<'_>, has_scaling: bool) -> Used {
    let product_rule = policy.rules.iter().find(|item| item.rule == "R1001");
    let mut notes = vec![
        "An element is visible unless it lies outside the page, is clipped away, is wholly transparent or is on a layer \
         that is off; one that another hides still counts. Overlap is judged by bounding boxes. Both find more rather \
         than less."
            .to_owned(),
        "What lies wholly outside the BleedBox (else TrimBox) is no element of the product.".to_owned(),
        "Boxes of findings are in millimetres from the lower left corner of the TrimBox, the page not rotated.".to_owned(),
        "Values are compared after rounding to three decimals.".to_owned(),
    ];
    if has_scaling {
        let from = |given: bool| if given { "as the job states it" } else { "none was stated" };
        notes.push(format!(
            "Scaling factor {} ({}); viewing distance {} m ({}). A page with UserUnit is measured at its true size \
             instead of by the factor.",
            shortest(scene.scaling),
            from(scene.intent.scaling_factor.is_some()),
            shortest(scene.distance),
            from(scene.intent.viewing_distance_m.is_some())
        ));
    }
    Used {
        scaling_factor: scene.scaling,
        viewing_distance_m: scene.distance,
        product_type: product_rule.and_then(|item| steps::product_type(scene, item)).map(str::to_owned),
        notes,
    }
}
