//! What the specification says of the supply chain, word for word, in the files that do it: triggers, names, thresholds,
//! deadlines. The workflows are linted apart (`make check`); that GitHub runs them nothing here can see.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Releases of actions and the commits behind them, as they were read from the actions' repositories.
const PINS: &[(&str, &str, &str)] = &[
    ("actions/checkout", "v7.0.1", "3d3c42e5aac5ba805825da76410c181273ba90b1"),
    ("actions/upload-artifact", "v7.0.0", "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f"),
    ("Swatinem/rust-cache", "v2.9.2", "6323deb102c322ba6fcbdcafc7e3dddab59af2b6"),
    ("gitleaks/gitleaks-action", "v3.0.0", "e0c47f4f8be36e29cdc102c57e68cb5cbf0e8d1e"),
    ("aquasecurity/trivy-action", "v0.36.0", "ed142fd0673e97e23eac54620cfb913e5ce36c25"),
    ("docker/build-push-action", "v7.3.0", "53b7df96c91f9c12dcc8a07bcb9ccacbed38856a"),
    ("docker/setup-buildx-action", "v4.3.0", "37fe631027851001ddb9b187196cc803df7f5f0e"),
    ("github/codeql-action", "v4.36.2", "8aad20d150bbac5944a9f9d289da16a4b0d87c1e"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The lines of a file without comments and the spaces around them, joined: what it says, however it is wrapped.
fn said(path: &str) -> String {
    let lines = read(path);
    let lines = lines.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.map(|line| line.split(" #").next().unwrap_or_default().trim()).collect::<Vec<_>>().join("\n")
}

fn says(path: &str, words: &[&str]) {
    let text = said(path);
    for words in words {
        assert!(text.contains(words), "{path} does not say:\n{words}");
    }
}

fn workflows() -> BTreeMap<String, String> {
    let files = fs::read_dir(root().join(".github/workflows")).unwrap();
    let text =
        |path: PathBuf| (path.file_name().unwrap().display().to_string(), fs::read_to_string(&path).unwrap());
    files.map(|entry| text(entry.unwrap().path())).collect()
}

#[test]
fn vulnerability_scan_runs_on_pull_requests_and_nightly_with_both_engines() {
    says(
        ".github/workflows/vuln-scan.yml",
        &[
            "on:\npull_request:\nbranches: [main, develop]\nschedule:\n- cron: \"0 0 * * *\"\n\npermissions:",
            "scan-type: fs\nscan-ref: .\n",
            "format: json\noutput: trivy-report.json",
            "run: make advisories REPORTS=trivy-report.json",
        ],
    );
    says("Makefile", &["@deploy/setup/advisories.sh $(REPORTS)"]);
    says(
        "deploy/setup/advisories.sh",
        &[
            "audit=(cargo audit --json)",
            "cargo tree --locked --workspace --exclude mintmark-tests --target all --edges normal,build",
            "--file \"$reports/shipped.lock\" >\"$reports/audit-report.json\"",
            "--threshold high --exceptions .github/security-exceptions.toml",
        ],
    );
}

#[test]
fn bypasses_are_in_the_reviewed_file_alone() {
    for (name, text) in workflows() {
        assert!(
            !text.contains("--ignore-"),
            "{name}: an exception goes into .github/security-exceptions.toml"
        );
    }
    for path in ["Makefile", "deploy/setup/advisories.sh"] {
        assert!(!said(path).contains("--ignore-cve") && !said(path).contains("--ignore-pkg"), "{path}");
    }
    let today = chrono::Utc::now().date_naive();
    let exceptions =
        security_gate::Exceptions::read(&root().join(".github/security-exceptions.toml"), today).unwrap();
    assert!(!exceptions.entries.iter().any(|entry| entry.is_expired(today)), "an exception has expired");
}

#[test]
fn secret_scan_is_weekly_fails_on_a_finding_and_uploads_its_report() {
    says(
        ".github/workflows/secret-scan.yml",
        &[
            "schedule:\n- cron: \"0 3 * * 1\"\n",
            "fetch-depth: 0\n",
            "run: make secrets",
            "if: always()\nuses: actions/upload-artifact@",
            "name: gitleaks-report.json\npath: target/gitleaks-report.json\nif-no-files-found: error",
        ],
    );
    let makefile = said("Makefile");
    let secrets = makefile.lines().find(|line| line.contains("gitleaks git")).unwrap();
    assert!(secrets.contains("--report-format json --report-path target/gitleaks-report.json"), "{secrets}");
    assert!(!secrets.contains("--exit-code"), "gitleaks itself exits 1 on a finding: {secrets}");
    says("Makefile", &["git config core.hooksPath .githooks"]);
    says(".pre-commit-config.yaml", &["entry: .githooks/pre-commit"]);
}

#[test]
fn ci_calls_the_makefile() {
    says(".github/workflows/ci.yml", &["- run: make check", "- run: make test", "- run: make secrets"]);
    says(".github/workflows/ci.yml", &["pull_request:\nbranches: [main, develop]"]);
}

#[test]
fn actions_are_pinned_by_the_commit_of_the_release_in_the_comment() {
    let mut count = 0;
    for (name, text) in workflows() {
        for line in text.lines().filter(|line| line.contains("uses:")) {
            let (action, pin) = line.split_once("uses: ").unwrap().1.split_once('@').unwrap();
            let known = PINS.iter().find(|(known, _, _)| *known == action);
            let (_, release, commit) = known.unwrap_or_else(|| panic!("{name}: {action} has no row in PINS"));
            assert_eq!(pin, format!("{commit} # {release}"), "{name}: {action}");
            count += 1;
        }
    }
    assert!(count >= 10, "the walk itself is broken: it saw {count} actions");
}

#[test]
fn workflows_and_jobs_may_read_and_nothing_else() {
    for (name, text) in workflows() {
        let jobs = text.split_once("\njobs:\n").unwrap().1.matches("\n    runs-on:").count();
        assert!(text.contains("\npermissions:\n  contents: read\n"), "{name}: the workflow's own");
        assert_eq!(
            text.matches("\n    permissions:\n      contents: read\n").count(),
            jobs,
            "{name}: each job's own"
        );
        assert_eq!(text.matches("permissions:").count(), jobs + 1, "{name}: and no other");
        assert!(!text.contains("write"), "{name}: nothing may write");
        assert!(
            !text.contains("pull_request_target") && !text.contains("secrets."),
            "{name}: strangers run this"
        );
        let checkouts = text.matches("actions/checkout@").count();
        assert_eq!(text.matches("persist-credentials: false").count(), checkouts, "{name}");
        assert_eq!(text.matches("timeout-minutes:").count(), jobs, "{name}");
    }
}

#[test]
fn renovate_has_the_three_groups_and_never_merges_a_major_version() {
    let renovate: Value = serde_json::from_str(&read("renovate.json")).unwrap();
    let rules = renovate["packageRules"].as_array().unwrap();
    let managers = |group: &str| -> Vec<&str> {
        let rule = rules
            .iter()
            .find(|rule| rule["groupName"] == group)
            .unwrap_or_else(|| panic!("no group {group}"));
        rule["matchManagers"].as_array().unwrap().iter().map(|manager| manager.as_str().unwrap()).collect()
    };
    assert_eq!(managers("cargo-ecosystem-updates"), ["cargo"]);
    assert_eq!(managers("github-actions-updates"), ["github-actions"]);
    assert_eq!(managers("docker-ecosystem-updates"), ["dockerfile", "docker-compose"]);
    let last = rules.last().unwrap();
    assert_eq!(last["matchUpdateTypes"], serde_json::json!(["major"]), "the last rule wins over the groups");
    assert_eq!(last["automerge"], false);
    assert_eq!(renovate["automerge"], false);
    assert!(!read("renovate.json").contains("\"automerge\": true"));
    assert_eq!(renovate["vulnerabilityAlerts"]["enabled"], true);
}

#[test]
fn severity_table_and_procedures_stand_in_the_documents() {
    says(
        "SECURITY.md",
        &[
            "| **SEV1** (critical and high) | CVSS v3 ≥ 7.0, or nobody has scored it yet | within 24 hours of its detection | blocks the build |",
            "| **SEV2** (medium, moderate) | CVSS v3 4.0 to 6.9 | within 7 days | warns |",
            "| **SEV3** (low) | CVSS v3 < 4.0 | best effort, in the next minor or patch release | no |",
            "--file audit-report.json --threshold high --ignore-cve CVE-YYYY-XXXXX --ignore-pkg package-name",
            "`gitleaks-report.json`",
            "git filter-repo",
            "force-push",
            "`docs/security-incidents.md`",
            "**Revoke**",
            "every night at 00:00 UTC",
        ],
    );
    let incident = read("docs/security-incidents.md");
    for field in
        ["Severity", "Ticket", "Detected", "Exposed", "Revoked", "History", "Resolved", "Cause", "Tests"]
    {
        assert!(incident.contains(&format!("\n- {field}:")), "the form of an incident has no {field}");
    }
    let template = read(".github/pull_request_template.md");
    for field in
        ["**Justification**", "**Expiry**", "**Ticket**", "## A major upgrade of a dependency", "peer"]
    {
        assert!(template.contains(field), "the template does not ask for {field}");
    }
}

#[test]
fn everything_has_an_owner_and_the_supply_chain_two() {
    let owners = read(".github/CODEOWNERS");
    let rules: Vec<(&str, Vec<&str>)> = owners
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| (line.split_whitespace().next().unwrap(), line.split_whitespace().skip(1).collect()))
        .collect();
    assert_eq!(rules[0], ("*", vec!["@mintmark/maintainers"]));
    for (path, owners) in &rules[1..] {
        assert_eq!(owners, &["@mintmark/maintainers", "@mintmark/security"], "{path}");
        assert!(root().join(path.trim_matches('/')).exists(), "{path} does not exist");
    }
    assert!(rules.iter().any(|(path, _)| *path == "/renovate.json"));
}
