//! Policies from outside: refused with all that is wrong with them, in sentences.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    Limit, POLICY_SCHEMA, Policy, RuleUse,
    rules::{self, Kind, Parameter},
};

/// Rules that one policy may have, titles and summaries aside: more than the catalogue has is a mistake.
const MAX_BYTES: usize = 64 * 1024;

/// Something wrong with a policy or an intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// JSON pointer to the place; empty for the whole.
    pub at: String,
    /// A sentence.
    pub message: String,
}

impl Problem {
    pub(super) fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at: at.into(), message: message.into() }
    }
}

/// Reads a policy.
///
/// # Errors
/// All that is wrong with it; of text that is no JSON of this form, the first thing alone.
pub fn parse(json: &[u8]) -> Result<Policy, Vec<Problem>> {
    if json.len() > MAX_BYTES {
        return Err(vec![Problem::new("", format!("a policy is at most {MAX_BYTES} bytes long"))]);
    }
    let policy: Policy = serde_json::from_slice(json).map_err(|error| {
        vec![Problem::new("", format!("this is no policy of schema {POLICY_SCHEMA}: {error}"))]
    })?;
    let problems = validate(&policy);
    if problems.is_empty() { Ok(policy) } else { Err(problems) }
}

/// What is wrong with a policy.
#[must_use]
pub fn validate(policy: &Policy) -> Vec<Problem> {
    let mut problems = Vec::new();
    if policy.schema != POLICY_SCHEMA {
        problems.push(Problem::new("/schema", format!("must be {POLICY_SCHEMA}, the version of this model")));
    }
    let is_id = |id: &str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !id.starts_with('-')
            && !id.ends_with('-')
    };
    if !is_id(&policy.id) {
        problems.push(Problem::new(
            "/id",
            "must be 1 to 64 lower-case letters, digits and hyphens, with no hyphen at either end",
        ));
    }
    if policy.version == 0 {
        problems.push(Problem::new("/version", "must be at least 1"));
    }
    if policy.title.trim().is_empty() || policy.title.chars().count() > 120 {
        problems.push(Problem::new("/title", "must have 1 to 120 characters"));
    }
    if policy.summary.chars().count() > 1_000 {
        problems.push(Problem::new("/summary", "must have at most 1,000 characters"));
    }
    if policy.title.chars().chain(policy.summary.chars()).any(char::is_control) {
        problems.push(Problem::new("/title", "title and summary must not have control characters"));
    }
    if policy.rules.is_empty() {
        problems.push(Problem::new(
            "/rules",
            "must name at least one rule: a policy without rules passes everything",
        ));
    }
    let mut seen = BTreeSet::new();
    for (index, item) in policy.rules.iter().enumerate() {
        let at = format!("/rules/{index}");
        if !seen.insert(item.rule.as_str()) {
            problems.push(Problem::new(
                format!("{at}/rule"),
                format!("{} is in the policy twice", shown(&item.rule)),
            ));
        }
        check_rule(&at, item, &mut problems);
    }
    problems
}

fn check_rule(at: &str, item: &RuleUse, problems: &mut Vec<Problem>) {
    let Some(rule) = rules::find(&item.rule) else {
        problems.push(Problem::new(
            format!("{at}/rule"),
            format!("{} is no rule of the catalogue", shown(&item.rule)),
        ));
        return;
    };
    if rule.tiers() && item.severity.is_some() {
        problems.push(Problem::new(
            format!("{at}/severity"),
            format!("{} has a limit for errors and one for warnings instead of a severity", rule.id),
        ));
    }
    if rule.tiers() && item.limits.is_empty() {
        problems.push(Problem::new(
            format!("{at}/limits"),
            format!("{} needs error_ppi, warning_ppi or both", rule.id),
        ));
    }
    if !rule.tiers() && item.severity.is_none() {
        problems.push(Problem::new(format!("{at}/severity"), "must be `error` or `warning`"));
    }
    for parameter in rule.parameters {
        if parameter.required && !item.limits.contains_key(parameter.name) {
            problems.push(Problem::new(
                format!("{at}/limits/{}", parameter.name),
                format!("{} needs this limit: {}", rule.id, parameter.meaning),
            ));
        }
    }
    for (name, value) in &item.limits {
        let place = format!("{at}/limits/{}", shown(name));
        match rule.parameters.iter().find(|parameter| parameter.name == name) {
            None => problems.push(Problem::new(place, format!("{} has no limit of this name", rule.id))),
            Some(parameter) => {
                problems.extend(wrong_value(parameter, value).map(|text| Problem::new(place, text)));
            }
        }
    }
}

fn wrong_value(parameter: &Parameter, value: &Limit) -> Option<String> {
    match (&parameter.kind, value) {
        (Kind::Number { least, most }, Limit::Number(number)) => (!(*least..=*most).contains(number))
            .then(|| format!("must be a number from {least} to {most}{}", spaced(parameter.unit))),
        (Kind::Whole { most }, Limit::Number(number)) => (number.fract() != 0.0
            || !(0.0..=f64::from(*most)).contains(number))
        .then(|| format!("must be a whole number from 0 to {most}")),
        (Kind::OneOf(words), Limit::Text(word)) => {
            let known = words();
            (!known.iter().any(|each| each == word)).then(|| format!("must be one of: {}", known.join("; ")))
        }
        (Kind::OneOf(_), Limit::Number(_)) => Some("must be a word, not a number".to_owned()),
        (_, Limit::Text(_)) => Some("must be a number without its unit".to_owned()),
    }
}

fn spaced(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(" {unit}") }
}

/// A name from outside in a sentence: short and without control characters.
fn shown(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(64).collect()
}
