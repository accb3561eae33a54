//! `npm audit --json`: the form of npm 7 and newer (`auditReportVersion` 2), and the older one, which pnpm still writes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{Finding, Score, Severity};

#[derive(Deserialize)]
struct Report {
    vulnerabilities: BTreeMap<String, Vulnerable>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    vulnerabilities: BTreeMap<String, u64>,
    dependencies: Dependencies,
}

/// The newer form counts each kind, the older gives one number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Dependencies {
    Total(u64),
    Counted(BTreeMap<String, u64>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vulnerable {
    severity: String,
    via: Vec<Via>,
    range: Option<String>,
    fix_available: Option<Value>,
}

/// Why a package is vulnerable: an advisory of its own, or another package by name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Via {
    Package(String),
    Advisory(Advisory),
}

#[derive(Deserialize)]
struct Advisory {
    source: Option<Value>,
    title: Option<String>,
    url: Option<String>,
    severity: Option<String>,
    cvss: Option<Cvss>,
    range: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cvss {
    score: f64,
    vector_string: Option<String>,
}

#[derive(Deserialize)]
struct OldReport {
    advisories: BTreeMap<String, OldAdvisory>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct OldAdvisory {
    module_name: String,
    title: String,
    severity: String,
    #[serde(default)]
    findings: Vec<OldFinding>,
    #[serde(default)]
    cves: Vec<String>,
    github_advisory_id: Option<String>,
    cvss: Option<Cvss>,
    patched_versions: Option<String>,
}

#[derive(Deserialize)]
struct OldFinding {
    version: String,
}

pub(super) fn findings(report: Value, name: &str) -> Result<Vec<Finding>, String> {
    if let Some(error) = report.get("error") {
        let said = [report.get("message"), error.get("summary"), error.get("detail")]
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .find(|text| !text.is_empty());
        return Err(format!(
            "npm audit failed and scanned nothing: {}",
            said.unwrap_or("it gives no reason")
        ));
    }
    if report.get("advisories").is_some() {
        return old(super::typed(report, "npm audit")?, name);
    }
    let report: Report = super::typed(report, "npm audit")?;
    counted(&report.metadata, report.vulnerabilities.len())?;
    let mut found = Vec::new();
    for (package, vulnerable) in &report.vulnerabilities {
        let explained = vulnerable.via.iter().all(|via| match via {
            Via::Package(other) => report.vulnerabilities.contains_key(other),
            Via::Advisory(_) => true,
        });
        if !explained || vulnerable.via.is_empty() {
            return Err(format!("npm audit calls {package} vulnerable and its report does not say why"));
        }
        for via in &vulnerable.via {
            if let Via::Advisory(advisory) = via {
                found.push(finding(package, vulnerable, advisory, name)?);
            }
        }
    }
    if found.is_empty() && !report.vulnerabilities.is_empty() {
        return Err("npm audit names vulnerable packages and not one advisory".to_owned());
    }
    Ok(found)
}

/// The report must have looked at something, and must count what it lists.
fn counted(metadata: &Metadata, listed: usize) -> Result<(), String> {
    let dependencies = match &metadata.dependencies {
        Dependencies::Total(total) => *total,
        Dependencies::Counted(kinds) => kinds.get("total").copied().unwrap_or_else(|| kinds.values().sum()),
    };
    if dependencies == 0 {
        return Err("npm audit looked at no package: run it where the lock file is".to_owned());
    }
    let kinds = &metadata.vulnerabilities;
    let total = kinds.get("total").copied().unwrap_or_else(|| kinds.values().sum());
    if (total == 0) != (listed == 0) {
        return Err(format!(
            "npm audit counted {total} vulnerabilities and lists {listed}: the report was cut off"
        ));
    }
    Ok(())
}

fn finding(
    package: &str,
    vulnerable: &Vulnerable,
    advisory: &Advisory,
    name: &str,
) -> Result<Finding, String> {
    let score = score(advisory.cvss.as_ref(), package)?;
    let label = advisory.severity.as_deref().unwrap_or(&vulnerable.severity);
    let fix = match &vulnerable.fix_available {
        Some(Value::Object(fix)) => {
            let part = |key: &str| fix.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
            format!("upgrade {} to {}", part("name"), part("version"))
        }
        Some(Value::Bool(true)) => "npm audit fix".to_owned(),
        _ => "none yet: replace the package, or ask for an exception".to_owned(),
    };
    let range = advisory.range.as_ref().or(vulnerable.range.as_ref());
    Ok(Finding {
        package: package.to_owned(),
        version: range.map(|range| format!("in {range}")),
        ids: vec![id(advisory)],
        title: advisory.title.clone().unwrap_or_else(|| "no title".to_owned()),
        score,
        severity: Severity::of(score, Severity::of_label(label)),
        fix,
        sources: vec![format!("npm audit, {name}")],
    })
}

/// The GHSA id stands at the end of the address; npm's own number is the next best.
fn id(advisory: &Advisory) -> String {
    let last = advisory
        .url
        .as_deref()
        .and_then(|url| url.rsplit('/').next())
        .filter(|last| last.starts_with("GHSA-"));
    match (last, &advisory.source) {
        (Some(id), _) => id.to_owned(),
        (None, Some(source)) => format!("npm-{}", source.to_string().trim_matches('"')),
        (None, None) => "npm-unnumbered".to_owned(),
    }
}

/// npm writes a score of 0 and no vector where nobody has scored the advisory.
fn score(cvss: Option<&Cvss>, package: &str) -> Result<Option<Score>, String> {
    let Some(cvss) = cvss else { return Ok(None) };
    let stated = Score::new(cvss.score).ok_or_else(|| {
        format!("npm audit gives {package} a score of {}, which CVSS does not have", cvss.score)
    })?;
    let computed = cvss.vector_string.as_deref().and_then(Score::of_vector);
    Ok(if stated.tenths() == 0 { computed } else { Some(stated) })
}

fn old(report: OldReport, name: &str) -> Result<Vec<Finding>, String> {
    counted(&report.metadata, report.advisories.len())?;
    let finding = |(number, advisory): (String, OldAdvisory)| {
        let score = score(advisory.cvss.as_ref(), &advisory.module_name)?;
        let mut ids = advisory.cves;
        ids.extend(advisory.github_advisory_id);
        ids.push(format!("npm-{number}"));
        let patched = advisory.patched_versions.filter(|range| !range.is_empty() && range != "<0.0.0");
        Ok(Finding {
            package: advisory.module_name,
            version: advisory.findings.into_iter().next().map(|found| found.version),
            ids,
            title: advisory.title,
            score,
            severity: Severity::of(score, Severity::of_label(&advisory.severity)),
            fix: patched.map_or_else(
                || "none yet: replace the package, or ask for an exception".to_owned(),
                |range| format!("upgrade to {range}"),
            ),
            sources: vec![format!("npm audit, {name}")],
        })
    };
    report.advisories.into_iter().map(finding).collect()
}
