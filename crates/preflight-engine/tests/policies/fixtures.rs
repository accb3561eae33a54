//! Fixtures judged: what each came to, how often that is the truth, and why not where it is not.
//!
//! `make preflight-matrix` prints the confusion matrix. A fixture's result is committed (`results.txt`): it cannot change
//! unnoticed; whatever is not the truth is explained in `tests/disagreements.md`, and nothing else is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use mintmark_preflight_engine::{
    Budgets,
    policy::{Severity, Status, evaluate, find},
    read,
};

use crate::{
    cases::{self, Case, Truth},
    golden::{compare, crate_file},
};

/// What the engine made of a fixture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Good,
    Warn,
    Bad,
    NotEvaluated,
}

fn judged(case: &Case) -> Came {
    let policy = find(case.policy).unwrap();
    let facts = read(case.file.clone(), &Budgets::default());
    let report = evaluate(policy, &facts, &case.intent);
    let result = report.rules.iter().find(|rule| rule.rule == case.rule);
    let result = result.unwrap_or_else(|| panic!("{} is not in {}", case.rule, case.policy));
    let errors =
        report.findings.iter().any(|found| found.rule == case.rule && found.severity == Severity::Error);
    match result.status {
        Status::Pass => Came::Good,
        Status::NotEvaluated => Came::NotEvaluated,
        Status::Fail if errors || result.severity.is_some() => Came::Bad,
        Status::Fail => Came::Warn,
    }
}

fn is_true(case: &Case, came: Came) -> bool {
    matches!(
        (case.truth, came),
        (Truth::Good, Came::Good) | (Truth::Warn, Came::Warn) | (Truth::Bad, Came::Bad)
    )
}

#[derive(Default)]
struct Row {
    hits: u32,
    passes: u32,
    false_alarms: u32,
    misses: u32,
    open: u32,
    seen: u32,
}

fn matrix(results: &[(Case, Came)]) -> String {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for (case, came) in results {
        let row = rows.entry(case.rule).or_default();
        row.seen += u32::from(!case.shows.is_empty());
        match (case.truth, came) {
            (_, Came::NotEvaluated) => row.open += 1,
            (Truth::Good, Came::Good) => row.passes += 1,
            (Truth::Good, _) => row.false_alarms += 1,
            _ if is_true(case, *came) => row.hits += 1,
            _ => row.misses += 1,
        }
    }
    let mut out = String::from(
        "rule    fixtures   violated:found  missed   kept:passed  false alarm   not evaluated   seen by another reader\n",
    );
    let mut sum = Row::default();
    for (rule, row) in &rows {
        write_row(&mut out, rule, row);
        sum.hits += row.hits;
        sum.passes += row.passes;
        sum.false_alarms += row.false_alarms;
        sum.misses += row.misses;
        sum.open += row.open;
        sum.seen += row.seen;
    }
    write_row(&mut out, "all", &sum);
    out
}

fn write_row(out: &mut String, rule: &str, row: &Row) {
    let Row { hits, passes, false_alarms, misses, open, seen } = row;
    let all = hits + passes + false_alarms + misses + open;
    let _ = writeln!(
        out,
        "{rule:<8}{all:>8}{hits:>17}{misses:>8}{passes:>14}{false_alarms:>13}{open:>16}{seen:>25}"
    );
}

#[test]
fn every_disagreement_is_explained_and_no_result_changes_unnoticed() {
    let results: Vec<(Case, Came)> =
        cases::all().into_iter().map(|case| (judged(&case), case)).map(|(came, case)| (case, came)).collect();
    let mut text = matrix(&results);
    println!("{text}");
    text.push('\n');
    let mut wrong = BTreeSet::new();
    for (case, came) in &results {
        let mark = if is_true(case, *came) { "" } else { "   DISAGREES" };
        let _ =
            writeln!(text, "{}: {:?}, came to {came:?}, under {}{mark}", case.name, case.truth, case.policy);
        if !mark.is_empty() {
            wrong.insert(case.name.clone());
        }
    }
    let explained = std::fs::read_to_string(crate_file("tests/disagreements.md")).unwrap();
    let explained: BTreeSet<String> =
        explained.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect();
    let unexplained: Vec<&String> = wrong.difference(&explained).collect();
    assert!(
        unexplained.is_empty(),
        "not the truth and not explained in tests/disagreements.md: {unexplained:#?}"
    );
    let settled: Vec<&String> = explained.difference(&wrong).collect();
    assert!(settled.is_empty(), "explained in tests/disagreements.md and not wrong any more: {settled:#?}");
    compare(&crate_file("tests/policies/results.txt"), &text);
}

#[test]
fn every_rule_has_good_and_bad_fixtures() {
    let cases = cases::all();
    for rule in mintmark_preflight_engine::policy::rules::all().filter(|rule| rule.not_yet().is_none()) {
        let truths = |truth: Truth| cases.iter().any(|case| case.rule == rule.id && case.truth == truth);
        assert!(truths(Truth::Good), "{} has no good fixture", rule.id);
        // R0037 is no check, and X0010 is about encryption: `oracles.rs` has qpdf do that.
        assert!(truths(Truth::Bad) || matches!(rule.id, "R0037" | "X0010"), "{} has no bad fixture", rule.id);
    }
}

/// Writes the fixtures into the folder that `PREFLIGHT_FIXTURES` names, for a look with other tools.
#[test]
fn fixtures_are_written_where_asked() {
    let Some(folder) = std::env::var_os("PREFLIGHT_FIXTURES") else { return };
    std::fs::create_dir_all(&folder).unwrap();
    for case in cases::all() {
        let name = case.name.replace(['/', ' '], "_");
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.pdf")), &case.file).unwrap();
    }
}
