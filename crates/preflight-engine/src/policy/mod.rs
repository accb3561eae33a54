//! Policies: data that says which rules of the catalogue a file is judged by, how severely and with what limits.
//!
//! [`catalog`] holds ours: the 23 variants of GWG 2022, the listed checks of three PDF/X standards, and `digital-print`. A
//! tenant's own is JSON ([`parse`]) over the same catalogue of rules ([`rules::all`]). [`evaluate`] is pure: facts, a policy
//! and what the job says of its product ([`Intent`]) in, a [`Report`] out.
//!
//! Three results, never two: a rule that could not be judged is `not_evaluated`, with the reason, and no policy says `pass`
//! over it. What was found stays found: a rule that met a violation fails, whatever else could not be read.

mod builtin;
mod check;
mod colour;
mod evaluate;
mod gwg;
mod intent;
mod parse;
mod report;
pub mod rules;
mod scene;
mod table;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use builtin::{catalog, find};
pub use evaluate::evaluate;
pub use gwg::{Variant, variants};
pub use intent::Intent;
pub use parse::{Problem, parse, validate};
pub use report::{
    Amount, Counts, Finding, PolicyRef, REPORT_SCHEMA, Report, RuleResult, Status, Used, Verdict,
};
pub use table::{rules_by_variant, write_report};

/// Version of the policies' model. [`parse`] refuses another.
pub const POLICY_SCHEMA: u32 = 1;

/// A policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Version of this model: 1.
    pub schema: u32,
    /// Its name for programs: lower-case letters, digits and hyphens, at most 64.
    pub id: String,
    /// Counted from 1 and raised whenever its rules change: every finding names it.
    pub version: u32,
    /// Its name for people.
    pub title: String,
    /// What it is for, and what it does not say.
    #[serde(default)]
    pub summary: String,
    /// Its rules, each at most once.
    pub rules: Vec<RuleUse>,
}

/// A rule of the catalogue in a policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleUse {
    /// Its id in the catalogue, for example `R0031`.
    pub rule: String,
    /// How severe a violation is. Absent exactly for rules with a limit for errors and one for warnings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Its limits by name, as the catalogue lists them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Limit>,
}

/// How severe a violation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; the file can be printed.
    Warning,
    /// The file is not to be printed like this.
    Error,
}

impl Severity {
    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A limit's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Limit {
    /// A number in the parameter's unit.
    Number(f64),
    /// One of the parameter's words.
    Text(String),
}

impl RuleUse {
    /// A rule with a severity and no limits.
    #[must_use]
    pub fn new(rule: &str, severity: Severity) -> Self {
        Self { rule: rule.to_owned(), severity: Some(severity), limits: BTreeMap::new() }
    }

    /// With a number.
    #[must_use]
    pub fn with(mut self, name: &str, value: f64) -> Self {
        self.limits.insert(name.to_owned(), Limit::Number(value));
        self
    }

    /// With a word.
    #[must_use]
    pub fn with_text(mut self, name: &str, value: &str) -> Self {
        self.limits.insert(name.to_owned(), Limit::Text(value.to_owned()));
        self
    }

    /// A number among the limits.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.limits.get(name)? {
            Limit::Number(value) => Some(*value),
            Limit::Text(_) => None,
        }
    }

    /// A word among the limits.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.limits.get(name)? {
            Limit::Number(_) => None,
            Limit::Text(value) => Some(value),
        }
    }
}
