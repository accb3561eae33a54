//! Preflight jobs on a real platform: files of the launcher's own bucket, and a tenant that may not read it.

use crate::desk::Desk;
use crate::people::{in_context, join};

const TENANT: &str = "ppos-production-worker";
const GOOD: &str = "s3://ppos-storage/incoming/validate.pdf";
const BAD: &str = "s3://ppos-storage/incoming/flyer-bad.pdf";

fn of<'a>(words: &[&'a str]) -> Vec<&'a str> {
    [words, &["--tenant", TENANT]].concat()
}

/// One file passes, another fails, and a third is nobody's to read.
pub fn checks(desk: &Desk) {
    let policies = desk.shows(&of(&["preflight", "policies"]));
    assert!(policies.contains("digital-print"), "{policies}");
    let policy = desk.json(&of(&["preflight", "policies", "digital-print"]));
    assert!(policy["document"]["rules"].as_array().is_some_and(|rules| !rules.is_empty()), "{policy}");

    let said = desk.run(&of(&["preflight", "submit", GOOD, "--job", "cli-good", "--wait"]));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("Verdict  PASS") && said.err.contains("preflight: "), "{said:?}");
    let again = desk.json(&of(&["preflight", "submit", GOOD, "--job", "cli-good"]));
    assert_eq!(again["verdict"], "pass", "the same job under the same name is made once");
    let other = desk.fails(1, &of(&["preflight", "submit", BAD, "--job", "cli-good"]));
    assert_eq!(other["code"], "JOB_ID_REUSED");

    let said = desk.run(&of(&["preflight", "submit", BAD, "--job", "cli-bad", "--wait", "--json"]));
    let (job, error): (serde_json::Value, serde_json::Value) =
        (serde_json::from_str(&said.out).unwrap(), serde_json::from_str(&said.err).unwrap());
    assert_eq!((said.code, &error["error"]["code"]), (Some(7), &"PREFLIGHT_FAIL".into()));
    assert_eq!((&job["verdict"], &job["report"]["verdict"]), (&"fail".into(), &"fail".into()));

    let failed = desk.shows(&of(&["preflight", "list", "--verdict", "fail"]));
    assert!(failed.contains("cli-bad") && !failed.contains("cli-good"), "{failed}");
    assert!(desk.shows(&of(&["preflight", "show", "cli-bad"])).contains("digital-print@1"));
    assert!(desk.shows(&of(&["job", "show", "cli-bad"])).contains("cli-bad"));
    assert!(desk.shows(&of(&["preflight", "report", "cli-bad"])).contains("Verdict  FAIL"));
    desk.shows(&of(&["preflight", "report", "cli-bad", "--out", "report.json"]));
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(desk.path("report.json")).unwrap()).unwrap();
    assert_eq!(report, job["report"]);
    assert_eq!(desk.fails(1, &of(&["preflight", "cancel", "cli-bad"]))["code"], "JOB_ENDED");
    assert_eq!(desk.fails(6, &of(&["preflight", "show", "cli-none"]))["status"], 404);

    // With a session the token is exchanged for it: another tenant's files, and a right that a member has not.
    let elsewhere = desk.fails(1, &["preflight", "submit", GOOD]);
    assert_eq!(elsewhere["code"], "TARGET_NOT_ALLOWED");
    let variables = desk.home.dev_env().unwrap();
    join(desk, &variables["MINTMARK_TENANT"], "max");
    let brand = variables["MINTMARK_BRAND"].as_str();
    desk.shows(&["user", "grant", "max@cli.example", "member", "--brand", brand]);
    assert!(desk.shows(&in_context("max", &["preflight", "list"])).starts_with("There are no such jobs"));
    let refused = desk.fails(5, &in_context("max", &["preflight", "submit", GOOD]));
    assert!(refused["hint"].as_str().unwrap().contains("preflight:"), "{refused}");

    let both = desk.run(&["preflight", "file.pdf", "list"]);
    assert_eq!(both.code, Some(2), "{both:?}");
}
