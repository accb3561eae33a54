//! Policies as data: ours, and how a tenant's own is read.

use mintmark_fault::{Fault, Kind, Result};
use mintmark_preflight_engine::Facts;
use mintmark_preflight_engine::policy::{self, Policy, Problem, Report};
use serde_json::{Value, json};

/// Longest document of a tenant's own, in bytes: what the engine reads.
pub const DOCUMENT_MAX: usize = 64 * 1024;
/// Problems that an answer names.
const NAMED: usize = 20;

/// All of ours, by name.
pub fn built_in() -> Vec<&'static Policy> {
    let mut all: Vec<&Policy> = policy::catalog().iter().collect();
    all.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    all
}

/// One of ours.
pub fn find(name: &str) -> Option<&'static Policy> {
    policy::find(name)
}

/// Reads a tenant's own: JSON, in which `id` and `version` may be absent and otherwise must say what they are.
///
/// # Errors
/// 400 `POLICY_INVALID`, with what is wrong in `problems`; 409 `POLICY_VERSION_CONFLICT` when the document names another
/// version than the next.
pub fn read(name: &str, next: u32, document: &str) -> Result<Policy> {
    let mut value: Value = serde_json::from_str(document).map_err(|error| {
        refused(&[Problem { at: String::new(), message: format!("this is no JSON: {error}") }])
    })?;
    let Some(members) = value.as_object_mut() else {
        let message = "a policy is a JSON object".to_owned();
        return Err(refused(&[Problem { at: String::new(), message }]));
    };
    if members.get("id").is_some_and(|id| *id != name) {
        let message = format!("must be {name}, as in the path, or absent");
        return Err(refused(&[Problem { at: "/id".to_owned(), message }]));
    }
    if members.get("version").is_some_and(|version| *version != next) {
        let sentence =
            format!("the next version of this policy is {next}: read the newest one and change that");
        return Err(Fault::conflict("POLICY_VERSION_CONFLICT", sentence).with("nextVersion", next));
    }
    members.insert("id".to_owned(), name.into());
    members.insert("version".to_owned(), next.into());
    let whole = serde_json::to_vec(&value).map_err(Fault::internal)?;
    policy::parse(&whole).map_err(|problems| refused(&problems))
}

/// A policy as it is kept and served.
///
/// # Errors
/// 500.
pub fn written(policy: &Policy) -> Result<String> {
    serde_json::to_string(policy).map_err(Fault::internal)
}

/// A kept document of a tenant's own.
///
/// # Errors
/// 422 `POLICY_OUTDATED`: it was stored for rules that this engine does not have.
pub fn kept(document: &str) -> Result<Policy> {
    policy::parse(document.as_bytes()).map_err(|problems| {
        let sentence = "the policy was stored for rules that this engine judges otherwise: store a version of it that is valid now";
        let cause = problems.first().map(|problem| format!("{}: {}", problem.at, problem.message));
        Fault::new(Kind::Unprocessable, "POLICY_OUTDATED", sentence).caused_by(cause.unwrap_or_default())
    })
}

/// The JSON schema of what is served under this name.
#[must_use]
pub fn schema(name: &str) -> Option<String> {
    let schema = match name {
        "facts" => schemars::schema_for!(Facts),
        "report" => schemars::schema_for!(Report),
        "policy" => schemars::schema_for!(Policy),
        _ => return None,
    };
    serde_json::to_string(&schema).ok()
}

fn refused(problems: &[Problem]) -> Fault {
    let sentence = match problems {
        [one] if one.at.is_empty() => one.message.clone(),
        [one, ..] => format!("{}: {}", one.at, one.message),
        [] => "this is no policy".to_owned(),
    };
    let named: Vec<Value> = problems
        .iter()
        .take(NAMED)
        .map(|problem| json!({ "at": problem.at, "message": problem.message }))
        .collect();
    Fault::invalid("POLICY_INVALID", "policy", sentence).with("problems", named)
}
