//! Three results and four verdicts, on facts made by hand.

use mintmark_preflight_engine::{
    Budgets, Facts,
    facts::{Damage, LimitHit},
    policy::{Intent, Policy, Report, RuleUse, Severity, Status, Verdict, evaluate, find, write_report},
    read,
};

use crate::pdf::Doc;

fn good() -> Facts {
    read(Doc::x4().build(), &Budgets::default())
}

fn policy(rules: Vec<RuleUse>) -> Policy {
    Policy { schema: 1, id: "own".into(), version: 7, title: "Own".into(), summary: String::new(), rules }
}

fn run(policy: &Policy, facts: &Facts) -> Report {
    evaluate(policy, facts, &Intent::default())
}

#[test]
fn base_file_passes_what_it_should() {
    let facts = good();
    for id in ["digital-print", "pdfx-4-listed", "gwg-2022-digital-print", "gwg-2022-large-format-print"] {
        let report = run(find(id).unwrap(), &facts);
        assert_eq!(report.verdict, Verdict::Pass, "{id}: {:#?}", report.findings);
    }
}

#[test]
fn best_verdict_is_incomplete_where_ink_is_asked() {
    let facts = good();
    for variant in mintmark_preflight_engine::policy::variants() {
        let report = run(&variant.policy, &facts);
        let ink = variant.policy.rules.iter().any(|item| matches!(item.rule.as_str(), "R0025" | "R0026"));
        let unjudged = report.rules.iter().filter(|rule| rule.status == Status::NotEvaluated);
        let unjudged: Vec<&str> = unjudged.map(|rule| rule.rule.as_str()).collect();
        assert_eq!(ink, unjudged.iter().any(|rule| matches!(*rule, "R0025" | "R0026")), "{}", variant.name);
        assert_ne!(ink, report.verdict == Verdict::Pass, "{}", variant.name);
    }
}

#[test]
fn found_error_beats_what_is_unknown() {
    let mut facts = good();
    facts.limits.push(LimitHit { budget: "page_operators".into(), limit: 5, page: Some(1) });
    let spots = RuleUse::new("R0020", Severity::Error).with("at_most", 0.0);
    let report = run(&policy(vec![spots.clone()]), &facts);
    assert_eq!((report.verdict, report.rules[0].status), (Verdict::Incomplete, Status::NotEvaluated));
    let rules = vec![spots, RuleUse::new("R0002", Severity::Error)];
    facts.pages[0].user_unit = Some(2.0);
    let report = run(&policy(rules), &facts);
    assert_eq!(report.verdict, Verdict::Fail);
    assert_eq!(report.rules[0].not_evaluated.len(), 1);
    assert_eq!(report.rules[1].status, Status::Fail, "a page's operators say nothing about UserUnit");
}

#[test]
fn warnings_do_not_hide_what_could_be_errors() {
    let mut doc = Doc::x4();
    let image = doc.stream(
        "/Type /XObject /Subtype /Image /Width 100 /Height 100 /BitsPerComponent 8 /ColorSpace /DeviceGray",
        &[128; 10_000],
    );
    doc.page().xobjects = format!("/Im {image} 0 R");
    doc.page().content = "q 36 0 0 36 50 50 cm /Im Do Q 0 0 0 1 k 100 100 9 9 re f".into();
    let mut facts = read(doc.build(), &Budgets::default());
    let tiers = RuleUse { severity: None, ..RuleUse::new("R0031", Severity::Error) };
    let rules = policy(vec![tiers.with("error_ppi", 150.0).with("warning_ppi", 225.0)]);
    assert_eq!(run(&rules, &facts).verdict, Verdict::PassWithWarnings);
    facts.pages[0].elements_left_off = 3;
    assert_eq!(run(&rules, &facts).verdict, Verdict::Incomplete);
}

#[test]
fn damage_that_left_something_out_is_no_pass() {
    let mut facts = good();
    let mut damage = Damage {
        kind: "stream_undecodable".into(),
        detail: "A stream could not be decoded.".into(),
        page: Some(1),
        object: None,
        repaired: true,
    };
    facts.file.damage.push(damage.clone());
    let rules =
        policy(vec![RuleUse::new("R0024", Severity::Warning), RuleUse::new("R0035", Severity::Error)]);
    assert_eq!(run(&rules, &facts).verdict, Verdict::Pass);
    damage.repaired = false;
    facts.file.damage.push(damage);
    let report = run(&rules, &facts);
    assert_eq!(report.rules[0].status, Status::NotEvaluated);
    assert_eq!(report.rules[1].status, Status::Pass, "a page's damage says nothing about the output intent");
    assert_eq!(report.verdict, Verdict::Incomplete);
}

#[test]
fn unreadable_file_fails_under_every_policy() {
    let facts = read(b"no PDF at all".to_vec(), &Budgets::default());
    for policy in mintmark_preflight_engine::policy::catalog() {
        let report = run(policy, &facts);
        assert_eq!(report.verdict, Verdict::Fail, "{}", policy.id);
        let passed: Vec<&str> = report
            .rules
            .iter()
            .filter(|rule| rule.status == Status::Pass)
            .map(|rule| rule.rule.as_str())
            .collect();
        let known = ["X0010", "D0001", "D0002"];
        assert!(passed.iter().all(|rule| known.contains(rule)), "{}: {passed:?}", policy.id);
    }
}

#[test]
fn unknown_rule_is_not_evaluated() {
    let report = run(&policy(vec![RuleUse::new("R7777", Severity::Error)]), &good());
    assert_eq!(report.verdict, Verdict::Incomplete);
}

#[test]
fn stated_product_is_judged_under_every_policy() {
    let facts = good();
    let none = policy(vec![RuleUse::new("R0002", Severity::Error)]);
    let intent = |trim, bleed, pages| Intent {
        trim_mm: Some([trim, 100.0]),
        bleed_mm: Some(bleed),
        pages: Some(pages),
        ..Intent::default()
    };
    assert_eq!(evaluate(&none, &facts, &intent(100.0, 3.0, 1)).verdict, Verdict::Pass);
    let report = evaluate(&none, &facts, &intent(148.0, 5.0, 2));
    let failed: Vec<&str> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
    assert_eq!(failed, ["P0001", "P0002", "P0003"]);
    assert!(report.findings.iter().all(|finding| finding.policy_version == 7 && !finding.mend.is_empty()));
}

#[test]
fn report_for_people_says_verdict_findings_and_gaps() {
    let mut doc = Doc::x4();
    doc.page().user_unit = Some(2.0);
    doc.page().content = "1 0 0 rg 60 60 30 30 re f".into();
    let facts = read(doc.build(), &Budgets::default());
    let report = run(find("gwg-2022-sheetcmyk-cmyk").unwrap(), &facts);
    let mut text = String::new();
    write_report(&mut text, &report, false).unwrap();
    for part in
        ["Verdict  FAIL", "R0002", "R0027", "A path is in DeviceRGB.", "Not evaluated", "R0026", "Assumed"]
    {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(!text.contains('\u{1b}') && text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let mut coloured = String::new();
    write_report(&mut coloured, &report, true).unwrap();
    assert!(coloured.contains("\u{1b}[31mFAIL"));
}

/// Facts travel as JSON, which has no infinity: what a file makes of nothing and of too much must still be readable.
#[test]
fn facts_of_absurd_numbers_survive_json() {
    let contents = [
        "q 0 0 0 0 60 60 cm BI /W 20 /H 20 /BPC 1 /CS /G ID aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa EI Q",
        "q 1e30 0 0 1e30 0 0 cm 1e30 0 0 1e30 0 0 cm 0 0 0 1 K 1e30 w 0 0 m 9 9 l S BT /F1 1e30 Tf (a) Tj ET Q",
        "q 99999999999999999999999999999999999999999999 0 0 1 0 0 cm 0 0 0 1 k 0 0 9 9 re f Q",
        "BT /F1 0 Tf 60 60 Td (a) Tj ET 0 0 0 0 99999999999999999999999999999999999999999 k 0 0 9 9 re f",
    ];
    for (unit, content) in
        contents.iter().flat_map(|content| [None, Some(0.0), Some(1e38)].map(|unit| (unit, content)))
    {
        let mut doc = Doc::x4();
        doc.page().content = (*content).to_owned();
        doc.page().user_unit = unit;
        let facts = read(doc.build(), &Budgets::default());
        let json = serde_json::to_vec(&facts).unwrap();
        let again: Facts =
            serde_json::from_slice(&json).unwrap_or_else(|error| panic!("{content}, {unit:?}: {error}"));
        for policy in mintmark_preflight_engine::policy::catalog() {
            let report = run(policy, &again);
            let json = serde_json::to_vec(&report).unwrap();
            let back: Report = serde_json::from_slice(&json).unwrap();
            assert_eq!(back.verdict, report.verdict);
        }
    }
}
