//! `trivy fs --format json`, schema 2.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{Finding, Score, Severity};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    schema_version: u64,
    #[serde(default)]
    results: Option<Vec<Scanned>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Scanned {
    target: String,
    #[serde(default)]
    class: String,
    #[serde(default)]
    vulnerabilities: Option<Vec<Vulnerability>>,
    #[serde(default)]
    misconfigurations: Option<Vec<Misconfiguration>>,
    #[serde(default)]
    secrets: Option<Vec<Secret>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Vulnerability {
    #[serde(rename = "VulnerabilityID")]
    id: String,
    pkg_name: String,
    installed_version: Option<String>,
    fixed_version: Option<String>,
    status: Option<String>,
    title: Option<String>,
    severity: Option<String>,
    #[serde(rename = "CVSS", default)]
    cvss: BTreeMap<String, Cvss>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Cvss {
    v3_score: Option<f64>,
    v3_vector: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Misconfiguration {
    #[serde(rename = "ID")]
    id: String,
    title: Option<String>,
    resolution: Option<String>,
    severity: Option<String>,
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Secret {
    #[serde(rename = "RuleID")]
    id: String,
    title: Option<String>,
    severity: Option<String>,
}

pub(super) fn findings(report: Value, name: &str) -> Result<Vec<Finding>, String> {
    let report: Report = super::typed(report, "Trivy")?;
    if report.schema_version != 2 {
        return Err(format!("Trivy's schema {} is not the one that is read here (2)", report.schema_version));
    }
    let results = report.results.unwrap_or_default();
    if !results.iter().any(|scanned| scanned.class.ends_with("-pkgs")) {
        return Err("Trivy's report has no result for packages, so no lock file was scanned: run it in the root of the \
                    repository with its list of all packages"
            .to_owned());
    }
    let mut found = Vec::new();
    for scanned in results {
        let source = format!("Trivy, {}, {name}", scanned.target);
        for vulnerability in scanned.vulnerabilities.unwrap_or_default() {
            found.push(vulnerable(vulnerability, source.clone())?);
        }
        for misconfiguration in scanned.misconfigurations.unwrap_or_default() {
            if misconfiguration.status.as_deref() != Some("PASS") {
                found.push(misconfigured(misconfiguration, &scanned.target, source.clone()));
            }
        }
        for secret in scanned.secrets.unwrap_or_default() {
            found.push(leaked(secret, &scanned.target, source.clone()));
        }
    }
    Ok(found)
}

fn vulnerable(entry: Vulnerability, source: String) -> Result<Finding, String> {
    let mut score = None;
    for cvss in entry.cvss.values() {
        let stated = match cvss.v3_score {
            Some(stated) => Some(Score::new(stated).ok_or_else(|| {
                format!("Trivy gives {} a score of {stated}, which CVSS does not have", entry.id)
            })?),
            None => cvss.v3_vector.as_deref().and_then(Score::of_vector),
        };
        score = score.max(stated);
    }
    let fix = match entry.fixed_version.filter(|version| !version.is_empty()) {
        Some(version) => format!("upgrade to {version}"),
        None => {
            let status = entry.status.as_deref().unwrap_or("affected");
            format!("none yet ({status}): replace the package, or ask for an exception")
        }
    };
    Ok(Finding {
        package: entry.pkg_name,
        version: entry.installed_version,
        title: entry.title.unwrap_or_else(|| entry.id.clone()),
        ids: vec![entry.id],
        score,
        severity: Severity::of(score, label(entry.severity.as_deref())),
        fix,
        sources: vec![source],
    })
}

fn misconfigured(entry: Misconfiguration, target: &str, source: String) -> Finding {
    Finding {
        package: target.to_owned(),
        version: None,
        title: entry.title.unwrap_or_else(|| entry.id.clone()),
        ids: vec![entry.id],
        score: None,
        severity: Severity::of(None, label(entry.severity.as_deref())),
        fix: entry.resolution.unwrap_or_else(|| "change the configuration".to_owned()),
        sources: vec![source],
    }
}

/// The secret itself is in the report and goes no further.
fn leaked(entry: Secret, target: &str, source: String) -> Finding {
    Finding {
        package: target.to_owned(),
        version: None,
        title: entry.title.unwrap_or_else(|| entry.id.clone()),
        ids: vec![entry.id],
        score: None,
        severity: Severity::of(None, label(entry.severity.as_deref())),
        fix: "revoke it, then remove it from the history (SECURITY.md, \"When a secret leaks\")".to_owned(),
        sources: vec![source],
    }
}

fn label(severity: Option<&str>) -> Option<Severity> {
    severity.and_then(Severity::of_label)
}
