//! The catalogue of rules: what can be asked of a file, with what limits, and how to mend it. Policies choose from it.

mod general;
mod gwg;
mod pdfx;

use serde::Serialize;

use super::{
    RuleUse,
    scene::{Outcome, Scene},
};
use crate::facts::{Damage, LimitHit};

/// A check: looks at the scene and says what it found.
pub(super) type Check = fn(&Scene<'_>, &RuleUse, &mut Outcome);

/// A rule.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Rule {
    /// Its id, for ever: `R` from GWG 2022, `X` a listed check of PDF/X, `P` of the job's product, `D` of any document.
    pub id: &'static str,
    /// Its name in a few words.
    pub title: &'static str,
    /// How to mend what violates it, in a sentence.
    pub mend: &'static str,
    /// Limits that a policy gives it.
    pub parameters: &'static [Parameter],
    /// What it reads: what is missing of that leaves it not evaluated.
    pub reads: Reads,
    #[serde(skip)]
    pub(super) judge: Judge,
}

/// How a rule is judged.
#[derive(Debug, Clone, Copy)]
pub(super) enum Judge {
    /// By this.
    By(Check),
    /// Not yet, for this reason.
    NotYet(&'static str),
}

/// What a rule reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reads {
    /// What is known of any bytes: whether they open, damage, encryption.
    File,
    /// The document's dictionaries: metadata, output intents, layers.
    Document,
    /// Pages and their boxes.
    Pages,
    /// What the pages paint.
    Content,
}

/// A limit of a rule.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Parameter {
    /// Its name in `limits`.
    pub name: &'static str,
    /// Its unit; empty where it has none.
    pub unit: &'static str,
    /// What it says, in a few words.
    pub meaning: &'static str,
    /// Whether a policy must give it.
    pub required: bool,
    /// What it may be.
    #[serde(skip)]
    pub kind: Kind,
}

/// What a limit may be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A number from `least` to `most`.
    Number {
        /// The smallest.
        least: f64,
        /// The largest.
        most: f64,
    },
    /// A whole number from 0.
    Whole {
        /// The largest.
        most: u32,
    },
    /// One of some words.
    OneOf(fn() -> &'static [&'static str]),
}

impl Parameter {
    const fn number(name: &'static str, unit: &'static str, meaning: &'static str, most: f64) -> Self {
        Self { name, unit, meaning, required: true, kind: Kind::Number { least: 0.0, most } }
    }

    const fn optional(self) -> Self {
        Self { required: false, ..self }
    }
}

impl Rule {
    const fn new(
        id: &'static str,
        title: &'static str,
        mend: &'static str,
        reads: Reads,
        check: Check,
    ) -> Self {
        Self { id, title, mend, parameters: &[], reads, judge: Judge::By(check) }
    }

    const fn with(self, parameters: &'static [Parameter]) -> Self {
        Self { parameters, ..self }
    }

    /// Whether it has a limit for errors and one for warnings instead of a severity.
    #[must_use]
    pub fn tiers(&self) -> bool {
        self.parameters.iter().any(|parameter| parameter.name == "error_ppi")
    }

    /// Why it is not evaluated by this version, where it is not.
    #[must_use]
    pub fn not_yet(&self) -> Option<&'static str> {
        match self.judge {
            Judge::By(_) => None,
            Judge::NotYet(reason) => Some(reason),
        }
    }

    /// Whether a budget that ran out left out something that it reads.
    pub(super) fn is_cut_by(&self, hit: &LimitHit) -> bool {
        if hit.page.is_some() { self.reads == Reads::Content } else { self.reads > Reads::File }
    }

    /// Whether damage left out something that it reads.
    pub(super) fn is_hurt_by(&self, damage: &Damage) -> bool {
        !damage.repaired
            && if damage.page.is_some() { self.reads >= Reads::Pages } else { self.reads > Reads::File }
    }
}

/// All rules.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    gwg::RULES.iter().chain(pdfx::RULES).chain(general::RULES)
}

/// A rule by its id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_rule_has_its_own_id_and_a_sentence_that_mends() {
        let mut ids = BTreeSet::new();
        for rule in all() {
            assert!(ids.insert(rule.id), "{} is there twice", rule.id);
            assert!(rule.mend.ends_with('.') && rule.mend.len() >= 15, "{}: {}", rule.id, rule.mend);
        }
        assert_eq!(ids.iter().filter(|id| id.starts_with('R')).count(), 39);
    }
}
