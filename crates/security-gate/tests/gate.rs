//! The program as CI runs it, on samples of reports (`tests/fixtures/README.md` says which are real).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chrono::{TimeDelta, Utc};
use tempfile::TempDir;

fn sample(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name).display().to_string()
}

fn gate(args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_security-gate")).args(args).output().unwrap();
    (output.status.code().unwrap(), text(&output))
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The first line of a finding: the word before it says what happens to it.
fn line<'a>(text: &'a str, id: &str) -> &'a str {
    text.lines().find(|line| line.contains(id)).unwrap_or_else(|| panic!("{id} is not in:\n{text}"))
}

fn written(folder: &TempDir, name: &str, text: &str) -> String {
    let path: PathBuf = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn gate_on_the_report_of_a_clean_lock_file_passes() {
    let (code, text) =
        gate(&["--file", &sample("cargo-audit-clean.json"), "--file", &sample("trivy-clean.json")]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("security-gate: passed: 0 at or above HIGH"), "{text}");
}

#[test]
fn gate_on_cargo_audit_prints_each_offender_and_blocks() {
    let report = sample("cargo-audit-findings.json");
    let (code, text) = gate(&["--file", &report, "--detected-at", "2026-11-22T10:00:00Z"]);
    assert_eq!(code, 1, "{text}");
    let expected = "\
BLOCKED  SEV1 CRITICAL (CVSS 9.8)  crossbeam-deque 0.8.0  RUSTSEC-2021-0093, GHSA-pqqp-xmhj-wgcw, CVE-2021-32810
         Data race in crossbeam-deque (vulnerability)
         fix: upgrade to >=0.7.4, <0.8.0 or >=0.8.1
         due: 2026-11-23 10:00 UTC (24 hours from its detection, 2026-11-22 10:00 UTC)
         says: cargo audit, vulnerability, ";
    assert!(text.contains(expected), "{text}");
    assert!(
        line(&text, "CVE-2024-12224").starts_with("BLOCKED  SEV1 HIGH (no CVSS v3 score)  idna 0.4.0"),
        "{text}"
    );
    assert!(
        line(&text, "CVE-2026-32829").starts_with("BLOCKED  SEV1 HIGH (no CVSS v3 score)"),
        "CVSS v4: {text}"
    );
    assert!(line(&text, "RUSTSEC-2025-0068").starts_with("BLOCKED  SEV1 HIGH"), "unsound: {text}");
    assert!(line(&text, "RUSTSEC-2024-0436").starts_with("BLOCKED  SEV1 HIGH"), "unmaintained: {text}");
    assert!(line(&text, "YANKED").starts_with("BLOCKED  SEV1 HIGH"), "yanked: {text}");
    assert!(
        line(&text, "CVE-2020-26235").starts_with("WARNING  SEV2 MEDIUM (CVSS 6.2)  time 0.1.43"),
        "{text}"
    );
    assert!(text.contains("due: 2026-11-29 10:00 UTC (7 days from its detection"), "{text}");
    assert!(
        line(&text, "CVE-2024-41178").starts_with("NOTED    SEV3 LOW (CVSS 3.8)  object_store 0.10.1"),
        "{text}"
    );
    assert!(text.contains("BLOCKED: 6 at or above HIGH, 1 with a warning, 1 noted"), "{text}");
}

#[test]
fn gate_on_trivy_takes_the_worst_score_and_shows_no_secret() {
    let (code, text) = gate(&["--file", &sample("trivy-findings.json")]);
    assert_eq!(code, 1, "{text}");
    assert!(
        line(&text, "CVE-2020-26235").starts_with("BLOCKED  SEV1 HIGH (CVSS 7.5)  time 0.1.43"),
        "{text}"
    );
    assert!(
        line(&text, "CVE-2026-10001").starts_with("WARNING  SEV2 MEDIUM (CVSS 5.3)"),
        "from a vector: {text}"
    );
    assert!(
        line(&text, "GHSA-aaaa-bbbb-cccc").starts_with("BLOCKED  SEV1 HIGH (no CVSS v3 score)"),
        "{text}"
    );
    assert!(line(&text, "CVE-2026-10002").starts_with("NOTED    SEV3 LOW"), "{text}");
    assert!(line(&text, "DS002").starts_with("BLOCKED  SEV1 HIGH"), "{text}");
    assert!(!text.contains("DS026"), "it passed: {text}");
    assert!(line(&text, "private-key").contains("deploy/example.env"), "{text}");
    assert!(!text.contains("what-was-matched-here"), "the secret itself stays in the report: {text}");
}

#[test]
fn gate_on_npm_audit_judges_both_of_its_forms() {
    let (code, text) = gate(&["--file", &sample("npm-audit-findings.json")]);
    assert_eq!(code, 1, "{text}");
    assert!(
        line(&text, "GHSA-xvch-5gv4-984h").starts_with("BLOCKED  SEV1 CRITICAL (CVSS 9.8)  minimist"),
        "{text}"
    );
    assert!(line(&text, "GHSA-vh95-rmgr-6w4m").starts_with("WARNING  SEV2 MEDIUM (CVSS 5.6)"), "{text}");
    assert!(line(&text, "GHSA-2222-3333-4444").starts_with("NOTED    SEV3 LOW (no CVSS v3 score)"), "{text}");
    assert!(text.contains("fix: upgrade minimist to 1.2.8"), "{text}");
    let (code, text) = gate(&["--file", &sample("npm-audit-old.json")]);
    assert_eq!(code, 0, "{text}");
    assert!(
        line(&text, "CVE-2020-7598").starts_with("WARNING  SEV2 MEDIUM (CVSS 5.6)  minimist 0.0.8"),
        "{text}"
    );
}

#[test]
fn gate_with_two_reports_joins_what_they_say_of_one_advisory() {
    let (cargo, trivy) = (sample("cargo-audit-findings.json"), sample("trivy-findings.json"));
    let (_, text) = gate(&["--file", &cargo, "--file", &trivy]);
    let time: Vec<&str> = text.lines().filter(|line| line.contains(" time 0.1.43 ")).collect();
    assert_eq!(time.len(), 1, "{text}");
    assert!(time[0].starts_with("BLOCKED  SEV1 HIGH (CVSS 7.5)"), "the worse of the two: {text}");
    assert!(time[0].contains("RUSTSEC-2020-0071") && time[0].contains("CVE-2020-26235"), "{text}");
}

#[test]
fn gate_threshold_moves_what_blocks() {
    let report = sample("npm-audit-old.json");
    for (threshold, expected) in
        [("low", 1), ("moderate", 1), ("MEDIUM", 1), ("high", 0), ("HIGH", 0), ("critical", 0)]
    {
        let (code, text) = gate(&["--file", &report, "--threshold", threshold]);
        assert_eq!(code, expected, "{threshold}: {text}");
    }
    assert_eq!(gate(&["--file", &report, "--threshold", "none"]).0, 2, "there is no such severity");
    assert_eq!(
        gate(&["--file", &report]).0,
        gate(&["--file", &report, "--threshold", "high"]).0,
        "the default"
    );
    assert_eq!(gate(&["--threshold", "high"]).0, 2, "no report, no judgement");
}

#[test]
fn gate_runs_the_command_line_of_the_specification() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(sample("cargo-audit-findings.json"), folder.path().join("audit-report.json")).unwrap();
    let words =
        "--file audit-report.json --threshold high --ignore-cve CVE-YYYY-XXXXX --ignore-pkg package-name";
    let output = Command::new(env!("CARGO_BIN_EXE_security-gate"))
        .args(words.split(' '))
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(1),
        "nothing has these names, so all of it blocks: {}",
        text(&output)
    );
}

#[test]
fn gate_ignores_by_any_id_and_by_package_and_says_so() {
    let report = sample("cargo-audit-findings.json");
    let all = [
        "--file",
        &report,
        "--ignore-cve",
        "cve-2021-32810",
        "--ignore-cve",
        "GHSA-h97m-ww89-6jmq",
        "--ignore-cve",
        "RUSTSEC-2026-0041",
        "--ignore-cve",
        "YANKED",
        "--ignore-pkg",
        "serde_yml",
        "--ignore-pkg",
        "paste",
    ];
    let (code, text) = gate(&all);
    assert_eq!(code, 0, "{text}");
    assert!(line(&text, "RUSTSEC-2021-0093").starts_with("EXCUSED"), "{text}");
    assert!(text.contains("ignored on the command line: --ignore-cve cve-2021-32810"), "{text}");
    assert!(text.contains("ignored on the command line: --ignore-pkg serde_yml"), "{text}");
    let (code, text) = gate(&all[..all.len() - 2]);
    assert_eq!(code, 1, "one is left: {text}");
    assert_eq!(gate(&["--file", &report, "--ignore-pkg", "serde"]).0, 1, "a part of a name is another name");
    assert_eq!(gate(&["--file", &report, "--ignore-cve", ""]).0, 2);
}

fn exception(advisory: &str, package: &str, days: i64) -> String {
    let expires = (Utc::now() + TimeDelta::days(days)).date_naive();
    format!(
        "[[exception]]\nadvisory = \"{advisory}\"\npackage = \"{package}\"\njustification = \"not reached\"\n\
         expires = \"{expires}\"\nticket = \"SEC-17\"\n"
    )
}

#[test]
fn gate_takes_exceptions_for_one_advisory_in_one_package_until_they_expire() {
    let folder = tempfile::tempdir().unwrap();
    let report = written(
        &folder,
        "report.json",
        &fs::read_to_string(sample("trivy-findings.json")).unwrap().replace("\"HIGH\"", "\"LOW\""),
    );
    let judge = |exceptions: &str| {
        let file = written(&folder, "exceptions.toml", exceptions);
        gate(&["--file", &report, "--exceptions", &file])
    };
    let both =
        exception("CVE-2020-26235", "time", 30) + &exception("GHSA-aaaa-bbbb-cccc", "nobody-scored-it", 30);
    let (code, text) = judge(&both);
    assert_eq!(code, 0, "{text}");
    assert!(line(&text, "CVE-2020-26235").starts_with("EXCUSED"), "{text}");
    assert!(text.contains("by SEC-17: not reached"), "{text}");
    let (code, text) = judge(&both.replace("\"time\"", "\"chrono\""));
    assert_eq!(code, 1, "of another package: {text}");
    assert!(text.contains("UNUSED   no report has CVE-2020-26235 in chrono"), "{text}");
    let (code, text) = judge(
        &(exception("CVE-2020-26235", "time", -1)
            + &exception("GHSA-aaaa-bbbb-cccc", "nobody-scored-it", 30)),
    );
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("EXPIRED  the exception for CVE-2020-26235 in time"), "{text}");
    assert!(line(&text, "CVE-2020-26235").starts_with("BLOCKED"), "an expired entry excuses nothing: {text}");
    assert_eq!(judge("").0, 1, "no exceptions at all");
}

#[test]
fn gate_fails_on_an_expired_exception_that_nothing_needs() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "exceptions.toml", &exception("CVE-2020-26235", "time", -1));
    let (code, text) = gate(&["--file", &sample("cargo-audit-clean.json"), "--exceptions", &file]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("BLOCKED") && text.contains("1 expired exceptions"), "{text}");
}

#[test]
fn gate_has_no_judgement_without_whole_exceptions() {
    let folder = tempfile::tempdir().unwrap();
    let report = sample("cargo-audit-clean.json");
    let whole = exception("CVE-2020-26235", "time", 30);
    for left_out in ["justification", "expires", "ticket"] {
        let text: Vec<&str> = whole.lines().filter(|line| !line.starts_with(left_out)).collect();
        let file = written(&folder, "exceptions.toml", &text.join("\n"));
        let (code, text) = gate(&["--file", &report, "--exceptions", &file]);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(&format!("missing field `{left_out}`")), "{text}");
    }
    assert_eq!(gate(&["--file", &report, "--exceptions", "/nowhere/exceptions.toml"]).0, 2);
}

#[test]
fn gate_has_no_judgement_on_reports_that_are_empty_cut_off_or_of_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| fs::read_to_string(sample(name)).unwrap();
    let (cargo, trivy, npm) =
        (read("cargo-audit-findings.json"), read("trivy-findings.json"), read("npm-audit-findings.json"));
    let cases = [
        ("", "empty"),
        (" \n", "empty"),
        ("{}", "neither a report of cargo audit"),
        ("[]", "neither a report of cargo audit"),
        ("null", "neither a report of cargo audit"),
        ("error: could not fetch the database", "not JSON"),
        (&cargo[..cargo.len() / 2], "not JSON"),
        (&format!("{cargo}{cargo}"), "not JSON"),
        (&cargo.replace("\"dependency-count\": 8", "\"dependency-count\": 0"), "looked at no package"),
        (&cargo.replace("\"advisory-count\": 1225", "\"advisory-count\": 0"), "knew no advisory"),
        (&cargo.replace("\"count\": 5", "\"count\": 6"), "changed or cut off"),
        (&cargo.replace("\"ignore\": []", "\"ignore\": [\"RUSTSEC-2021-0093\"]"), "leave findings out"),
        (&cargo.replace("\"severity\": null", "\"severity\": \"high\""), "leave findings out"),
        (&cargo.replace("\"warnings\"", "\"cautions\""), "missing field `warnings`"),
        (&read("trivy-clean.json").replace("\"lang-pkgs\"", "\"config\""), "no lock file was scanned"),
        ("{\"SchemaVersion\": 2, \"ArtifactName\": \".\"}", "no lock file was scanned"),
        (&trivy.replace("\"SchemaVersion\": 2", "\"SchemaVersion\": 3"), "schema 3"),
        (&trivy.replace("\"V3Score\": 7.5", "\"V3Score\": 75"), "which CVSS does not have"),
        (&trivy.replace("\"PkgName\"", "\"Pkg\""), "missing field `PkgName`"),
        (&read("npm-audit-error.json"), "npm audit failed and scanned nothing: 405 Method Not Allowed"),
        (&npm.replace("\"total\": 4", "\"total\": 0"), "looked at no package"),
        (&npm.replace("\"total\": 3", "\"total\": 0"), "cut off"),
        (&npm.replace("[\"minimist\"]", "[\"elsewhere\"]"), "does not say why"),
        (&npm.replace("[\"minimist\"]", "[]"), "does not say why"),
    ];
    for (number, (report, said)) in cases.iter().enumerate() {
        let file = written(&folder, "report.json", report);
        let (code, text) = gate(&["--file", &sample("cargo-audit-clean.json"), "--file", &file]);
        assert_eq!(code, 2, "case {number}, {said}: {text}");
        assert!(text.contains(said), "case {number}, {said}: {text}");
        assert!(!text.contains("passed"), "case {number}: {text}");
    }
    let (code, text) = gate(&["--file", "/nowhere/audit-report.json"]);
    assert_eq!(code, 2);
    assert!(text.contains("did the scanner run?"), "{text}");
}

#[test]
fn gate_prints_what_strangers_wrote_on_one_line_and_without_escapes() {
    let folder = tempfile::tempdir().unwrap();
    let report = fs::read_to_string(sample("cargo-audit-findings.json"))
        .unwrap()
        .replace("Data race in crossbeam-deque", "x\\n::stop-commands::y\\u001b[2J");
    let (_, text) = gate(&["--file", &written(&folder, "report.json", &report)]);
    assert!(text.contains("x ::stop-commands::y [2J"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.lines().any(|line| line.starts_with("::")), "{text}");
}
