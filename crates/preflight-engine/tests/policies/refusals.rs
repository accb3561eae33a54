//! Policies from outside: what is wrong is said, all of it.

use mintmark_preflight_engine::policy::{Intent, parse};

fn problems(json: &str) -> Vec<String> {
    let problems = parse(json.as_bytes()).unwrap_err();
    problems.into_iter().map(|problem| format!("{}: {}", problem.at, problem.message)).collect()
}

#[test]
fn parse_good_policy_gives_it() {
    let json = r#"{"schema":1,"id":"our-labels","version":3,"title":"Our labels","rules":[
        {"rule":"R0031","limits":{"error_ppi":200}},
        {"rule":"R0017","severity":"error","limits":{"pt":5.5}},
        {"rule":"X0001","severity":"warning","limits":{"standard":"PDF/X-4"}},
        {"rule":"P0002","severity":"error","limits":{"at_least_mm":3}}]}"#;
    let policy = parse(json.as_bytes()).unwrap();
    assert_eq!((policy.version, policy.rules.len()), (3, 4));
}

#[test]
fn parse_unknown_field_names_it() {
    let said = problems(r#"{"schema":1,"id":"a","version":1,"title":"A","rules":[],"strict":true}"#);
    assert!(said[0].contains("unknown field `strict`"), "{said:?}");
    let said = problems(
        r#"{"schema":1,"id":"a","version":1,"title":"A","rules":[{"rule":"R0002","level":"error"}]}"#,
    );
    assert!(said[0].contains("unknown field `level`"), "{said:?}");
}

#[test]
fn parse_bad_policy_says_everything_that_is_wrong() {
    let said = problems(
        r#"{"schema":2,"id":"Our Labels","version":0,"title":" ","rules":[
        {"rule":"R9999","severity":"error"},
        {"rule":"R0031","severity":"error","limits":{"error_ppi":-1}},
        {"rule":"R0032"},
        {"rule":"R0017","severity":"error","limits":{"pt":"five"}},
        {"rule":"R0020","severity":"error","limits":{"at_most":1.5}},
        {"rule":"R0002"},
        {"rule":"R0002","severity":"error","limits":{"pt":1}},
        {"rule":"X0001","severity":"error","limits":{"standard":"PDF/X-9"}}]}"#,
    );
    let wanted = [
        "/schema: must be 1",
        "/id: must be 1 to 64",
        "/version: must be at least 1",
        "/title: must have 1 to 120",
        "/rules/0/rule: R9999 is no rule",
        "/rules/1/severity: R0031 has a limit for errors",
        "/rules/1/limits/error_ppi: must be a number from 0",
        "/rules/2/limits: R0032 needs error_ppi",
        "/rules/3/limits/pt: must be a number without its unit",
        "/rules/4/limits/at_most: must be a whole number",
        "/rules/5/severity: must be `error` or `warning`",
        "/rules/6/rule: R0002 is in the policy twice",
        "/rules/6/limits/pt: R0002 has no limit of this name",
        "/rules/7/limits/standard: must be one of: PDF/X-1a:2003; PDF/X-3:2003; PDF/X-4",
    ];
    for start in wanted {
        assert!(said.iter().any(|line| line.starts_with(start)), "{start} is missing in {said:#?}");
    }
    assert_eq!(said.len(), wanted.len(), "{said:#?}");
}

#[test]
fn parse_no_rules_is_refused() {
    let said = problems(r#"{"schema":1,"id":"a","version":1,"title":"A","rules":[]}"#);
    assert!(said[0].starts_with("/rules: must name at least one rule"), "{said:?}");
}

#[test]
fn intent_out_of_range_is_named() {
    let intent = Intent {
        trim_mm: Some([0.0, f64::NAN]),
        scaling_factor: Some(0.0),
        product_type: Some("Hat".to_owned()),
        ..Intent::default()
    };
    let at: Vec<String> = intent.problems().into_iter().map(|problem| problem.at).collect();
    assert_eq!(at, ["/trimMm/0", "/trimMm/1", "/scalingFactor", "/productType"]);
}
