//! Fixtures: files made by our writer, one rule each, with the truth that the rule's words give them.
//!
//! A case says which rule of which policy it is about, whether the rule is violated (`Bad`; `Warn` where a rule with a limit
//! for errors and one for warnings has a warning), and, where it can be seen, what somebody else's reader must see in the
//! file (`shows`, lines of `tests/policies/oracle.py`).

mod colours;
mod document;
mod images;
mod lists;
mod pages;
mod sizes;
mod spots;
mod visibility;

use std::collections::BTreeSet;

use mintmark_preflight_engine::policy::{Intent, Policy, find, variants};

use crate::pdf::Doc;

/// What is true of a fixture by the words of its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    Good,
    Warn,
    Bad,
}

/// One fixture.
pub struct Case {
    pub name: String,
    pub rule: &'static str,
    pub policy: &'static str,
    pub intent: Intent,
    pub truth: Truth,
    pub file: Vec<u8>,
    pub shows: Vec<String>,
}

/// A document with nothing on its page but what the case needs behind its element.
pub fn blank() -> Doc {
    let mut doc = Doc::x4();
    doc.page().content = "0 0.1 0 0 k 40 40 200 200 re f\n".to_owned();
    doc
}

impl Case {
    pub fn new(rule: &'static str, what: &str, truth: Truth, doc: &Doc) -> Self {
        Self {
            name: format!("{rule}-{what}"),
            rule,
            policy: policy_of(rule),
            intent: Intent::default(),
            truth,
            file: doc.build(),
            shows: Vec::new(),
        }
    }

    pub fn policy(mut self, policy: &'static str) -> Self {
        self.policy = policy;
        self
    }

    pub fn intent(mut self, intent: Intent) -> Self {
        self.intent = intent;
        self
    }

    pub fn shows(mut self, line: impl Into<String>) -> Self {
        self.shows.push(line.into());
        self
    }
}

/// The first of our policies that has the rule, those of GWG 2022 first.
pub fn policy_of(rule: &str) -> &'static str {
    let has = |policy: &Policy| policy.rules.iter().any(|item| item.rule == rule);
    let of_variant = variants().iter().find(|variant| has(&variant.policy));
    of_variant.map_or_else(
        || {
            let ours = ["digital-print", "pdfx-1a-2003-listed"];
            ours.into_iter().find(|id| find(id).is_some_and(has)).unwrap_or("digital-print")
        },
        |variant| variant.policy.id.as_str(),
    )
}

/// A rule's different limits over all variants, each with the first policy that has it.
pub fn limits_of(rule: &str, names: [&str; 2]) -> Vec<(&'static str, [f64; 2])> {
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for variant in variants() {
        for item in variant.policy.rules.iter().filter(|item| item.rule == rule) {
            let values = names.map(|name| item.number(name).unwrap_or_default());
            if seen.insert(values.map(f64::to_bits)) {
                out.push((variant.policy.id.as_str(), values));
            }
        }
    }
    out
}

/// All fixtures.
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for part in [
        pages::cases(),
        sizes::cases(),
        colours::cases(),
        spots::cases(),
        images::cases(),
        document::cases(),
        lists::cases(),
        visibility::cases(),
    ] {
        cases.extend(part);
    }
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "two cases have one name");
    cases
}
