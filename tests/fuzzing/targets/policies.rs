//! Policies as JSON: what is accepted is written and read as itself, and judges any facts without ado.

use std::sync::LazyLock;

use mintmark_preflight_engine::policy::{Intent, Policy, evaluate, parse};
use mintmark_preflight_engine::{Budgets, Facts, read};

static FACTS: LazyLock<Facts> =
    LazyLock::new(|| read(super::documents::base(7).build(), &Budgets::default()));

/// Reads the input as a policy, and as what a job says of its product.
pub fn run(data: &[u8]) {
    let intent: Option<Intent> =
        serde_json::from_slice(data).ok().filter(|intent: &Intent| intent.problems().is_empty());
    if let Some(intent) = &intent {
        let policy = mintmark_preflight_engine::policy::find("digital-print").expect("a policy of ours");
        judged(policy, intent);
    }
    match parse(data) {
        Ok(policy) => {
            let written = serde_json::to_vec(&policy).expect("a policy is JSON");
            assert_eq!(parse(&written).as_ref(), Ok(&policy), "a policy is written as it is read");
            judged(&policy, &Intent::default());
        }
        Err(problems) => assert!(!problems.is_empty(), "a refusal has a reason"),
    }
}

fn judged(policy: &Policy, intent: &Intent) {
    let report = evaluate(policy, &FACTS, intent);
    assert!(report.rules.len() >= policy.rules.len(), "every rule has a result");
    let json = serde_json::to_string(&report).expect("a report is JSON");
    serde_json::from_str::<mintmark_preflight_engine::policy::Report>(&json).expect("a report is read back");
}
