//! `cargo audit --json`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{Finding, Score, Severity};

#[derive(Deserialize)]
struct Report {
    database: Database,
    lockfile: Lockfile,
    settings: Settings,
    vulnerabilities: Vulnerabilities,
    warnings: BTreeMap<String, Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Database {
    advisory_count: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Lockfile {
    dependency_count: u64,
}

/// What the run was told to leave out.
#[derive(Deserialize)]
struct Settings {
    ignore: Vec<String>,
    severity: Option<Value>,
}

#[derive(Deserialize)]
struct Vulnerabilities {
    count: usize,
    list: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    package: Package,
    advisory: Option<Advisory>,
    versions: Option<Versions>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct Advisory {
    id: String,
    title: String,
    #[serde(default)]
    aliases: Vec<String>,
    cvss: Option<String>,
}

#[derive(Deserialize)]
struct Versions {
    patched: Vec<String>,
}

pub(super) fn findings(report: Value, name: &str) -> Result<Vec<Finding>, String> {
    let report: Report = super::typed(report, "cargo audit")?;
    if report.database.advisory_count == 0 {
        return Err("cargo audit knew no advisory: its database was empty; fetch it again".to_owned());
    }
    if report.lockfile.dependency_count == 0 {
        return Err("cargo audit looked at no package: name the lock file of the workspace".to_owned());
    }
    if !report.settings.ignore.is_empty() || report.settings.severity.is_some() {
        return Err("cargo audit was told to leave findings out (ignore or severity): let it report all, and write an \
                    exception for the gate"
            .to_owned());
    }
    if report.vulnerabilities.count != report.vulnerabilities.list.len() {
        return Err(format!(
            "cargo audit counted {} vulnerabilities and lists {}: the report was changed or cut off",
            report.vulnerabilities.count,
            report.vulnerabilities.list.len()
        ));
    }
    let source = |kind: &str| format!("cargo audit, {kind}, {name}");
    let listed = report.vulnerabilities.list.into_iter().map(|entry| ("vulnerability".to_owned(), entry));
    let warned = report
        .warnings
        .into_iter()
        .flat_map(|(kind, list)| list.into_iter().map(move |entry| (kind.clone(), entry)));
    Ok(listed.chain(warned).map(|(kind, entry)| finding(&kind, entry, source(&kind))).collect())
}

/// Warnings (unsound, unmaintained, yanked) mostly have no score, and what has none counts as HIGH.
fn finding(kind: &str, entry: Entry, source: String) -> Finding {
    let score =
        entry.advisory.as_ref().and_then(|advisory| advisory.cvss.as_deref()).and_then(Score::of_vector);
    let fix = match entry.versions {
        Some(versions) if !versions.patched.is_empty() => {
            format!("upgrade to {}", versions.patched.join(" or "))
        }
        _ if kind == "yanked" => "another version: this one was taken back (cargo update)".to_owned(),
        _ => "none yet: replace the package, or ask for an exception".to_owned(),
    };
    let (ids, title) = match entry.advisory {
        Some(advisory) => (
            std::iter::once(advisory.id).chain(advisory.aliases).collect(),
            format!("{} ({kind})", advisory.title),
        ),
        // A yanked version has no advisory, but an exception needs a name.
        None => (vec![kind.to_ascii_uppercase()], format!("a warning of cargo audit: {kind}")),
    };
    Finding {
        package: entry.package.name,
        version: Some(entry.package.version),
        ids,
        title,
        score,
        severity: Severity::of(score, None),
        fix,
        sources: vec![source],
    }
}
