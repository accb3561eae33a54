//! What an evaluation says.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Limit, Severity};
use crate::facts::ObjectRef;

/// Version of the report's model.
pub const REPORT_SCHEMA: u32 = 1;

/// The judgement of one policy over the facts of one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Version of this model: 1.
    pub schema: u32,
    /// Version of the engine that read the facts.
    pub engine: String,
    /// The policy.
    pub policy: PolicyRef,
    /// The whole in one word.
    pub verdict: Verdict,
    /// How many of what.
    pub counts: Counts,
    /// What the evaluation assumed and used.
    pub used: Used,
    /// Every rule of the policy, and the rules of what the job states of its product, in order.
    pub rules: Vec<RuleResult>,
    /// Violations, alike ones together, at most 20 groups for a rule.
    pub findings: Vec<Finding>,
}

/// A policy by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyRef {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: u32,
    /// Its title.
    pub title: String,
}

/// The whole in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every rule was evaluated and none was violated.
    Pass,
    /// Every rule was evaluated, and only warnings were found.
    PassWithWarnings,
    /// An error was found, whatever could not be evaluated beside it.
    Fail,
    /// No error was found, but some rule could not be evaluated.
    Incomplete,
}

impl Verdict {
    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::PassWithWarnings => "pass_with_warnings",
            Self::Fail => "fail",
            Self::Incomplete => "incomplete",
        }
    }
}

/// How many of what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Rules that passed.
    pub passed: u32,
    /// Rules that failed.
    pub failed: u32,
    /// Rules that were not evaluated.
    pub not_evaluated: u32,
    /// Violations of severity error.
    pub errors: u64,
    /// Violations of severity warning.
    pub warnings: u64,
}

/// What the evaluation assumed and used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Used {
    /// The factor by which limits of text and lines were divided and those of resolution multiplied; 1 where the policy
    /// has no R0037. Pages with `UserUnit` are measured at their true size instead.
    pub scaling_factor: f64,
    /// The viewing distance in metres that limits of resolution were divided by.
    pub viewing_distance_m: f64,
    /// The product type of R1001, where one was given or the policy has one.
    pub product_type: Option<String>,
    /// Sentences on what was taken for granted: where the factors come from, how visibility and overlap were decided,
    /// what the boxes of findings are measured from.
    pub notes: Vec<String>,
}

/// The result of one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleResult {
    /// Its id.
    pub rule: String,
    /// Its title.
    pub title: String,
    /// Its severity; absent for rules with a limit for each.
    pub severity: Option<Severity>,
    /// Its limits in this policy.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Limit>,
    /// Pass, fail or not evaluated.
    pub status: Status,
    /// Why it was not evaluated, or what else could not be, beside the violations that were found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_evaluated: Vec<String>,
    /// Violations.
    pub violations: u64,
    /// Violations that have no finding of their own.
    pub left_off: u64,
    /// What is worth knowing and no violation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Pass, fail or not evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Evaluated, nothing found.
    Pass,
    /// At least one violation.
    Fail,
    /// Not evaluated, and nothing found.
    NotEvaluated,
}

impl Status {
    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotEvaluated => "not_evaluated",
        }
    }
}

/// Alike violations of one rule on one page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The rule.
    pub rule: String,
    /// The listed check within R0001 or D0003, for example `X0008`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Version of the policy.
    pub policy_version: u32,
    /// How severe.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub mend: String,
    /// The page, counted from 1.
    pub page: Option<u32>,
    /// The first one's box, `[left, bottom, right, top]` in millimetres from the lower left corner of the page's TrimBox
    /// (else CropBox, else MediaBox), the page not rotated.
    pub bbox_mm: Option<[f64; 4]>,
    /// The object: of an element, the content stream, form or image that it is in.
    pub object: Option<ObjectRef>,
    /// The operator in that content stream, counted from 0.
    pub operator: Option<u64>,
    /// What was measured.
    pub measured: Option<Amount>,
    /// What was allowed.
    pub limit: Option<Amount>,
    /// How many alike.
    pub count: u64,
}

/// A quantity, or something else that was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Amount {
    /// For a person, for example `7.5 pt`.
    pub text: String,
    /// The number at full precision, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

impl Amount {
    /// A number with a unit, shown with at most three decimals.
    #[must_use]
    pub fn number(value: f64, unit: &str) -> Self {
        let number = shortest(value);
        let text = match unit {
            "" => number,
            "%" => format!("{number} %"),
            _ => format!("{number} {unit}"),
        };
        Self { text, value: Some(value), unit: (!unit.is_empty()).then(|| unit.to_owned()) }
    }

    /// Something that is no number.
    #[must_use]
    pub fn word(text: impl Into<String>) -> Self {
        Self { text: text.into(), value: None, unit: None }
    }
}

/// At most three decimals, none that is nought.
pub(super) fn shortest(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
