//! What a scanner found, in one form for all scanners.

use crate::{Score, Severity};

/// One advisory that touches one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The package, or the file where a scanner looked at one.
    pub package: String,
    /// Its version; npm's report names only the range that is vulnerable.
    pub version: Option<String>,
    /// The advisory's id and its other names: `RUSTSEC-…`, `CVE-…`, `GHSA-…`. Never empty.
    pub ids: Vec<String>,
    /// The advisory in a line.
    pub title: String,
    /// The CVSS v3 base score where there is one.
    pub score: Option<Score>,
    /// The severity that score and label give.
    pub severity: Severity,
    /// What to do about it.
    pub fix: String,
    /// Who says so: scanner and report.
    pub sources: Vec<String>,
}

impl Finding {
    /// Whether one of its names is `id`, however it is written.
    #[must_use]
    pub fn is_called(&self, id: &str) -> bool {
        self.ids.iter().any(|own| own.eq_ignore_ascii_case(id))
    }

    fn is_same_as(&self, other: &Self) -> bool {
        let versions_agree = match (&self.version, &other.version) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        self.package == other.package && versions_agree && other.ids.iter().any(|id| self.is_called(id))
    }

    fn absorb(&mut self, other: Self) {
        self.severity = self.severity.max(other.severity);
        self.score = self.score.max(other.score);
        self.version = self.version.take().or(other.version);
        for id in other.ids {
            if !self.is_called(&id) {
                self.ids.push(id);
            }
        }
        for source in other.sources {
            if !self.sources.contains(&source) {
                self.sources.push(source);
            }
        }
    }
}

/// Puts together what several scanners say of the same advisory: all its names, the worst severity. An exception for
/// one of the names then holds for the finding, whoever made it.
#[must_use]
pub fn merge(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    for mut finding in findings {
        // A finding with two names may join two that did not know of each other.
        while let Some(at) = merged.iter().position(|other| other.is_same_as(&finding)) {
            let mut earlier = merged.remove(at);
            earlier.absorb(finding);
            finding = earlier;
        }
        merged.push(finding);
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(package: &str, ids: &[&str], severity: Severity, source: &str) -> Finding {
        Finding {
            package: package.to_owned(),
            version: Some("1.0.0".to_owned()),
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            title: "A hole".to_owned(),
            score: None,
            severity,
            fix: "upgrade".to_owned(),
            sources: vec![source.to_owned()],
        }
    }

    #[test]
    fn merge_joins_names_and_keeps_the_worst_severity() {
        let merged = merge(vec![
            finding("time", &["CVE-1"], Severity::Low, "trivy"),
            finding("time", &["GHSA-1"], Severity::High, "npm"),
            finding("time", &["RUSTSEC-1", "CVE-1", "ghsa-1"], Severity::Medium, "cargo-audit"),
            finding("other", &["CVE-1"], Severity::Low, "trivy"),
        ]);
        assert_eq!(merged.len(), 2);
        let time = merged.iter().find(|finding| finding.package == "time").unwrap();
        assert_eq!(time.severity, Severity::High);
        assert!(time.is_called("RUSTSEC-1") && time.is_called("CVE-1") && time.is_called("GHSA-1"));
        assert_eq!(time.sources.len(), 3);
    }

    #[test]
    fn merge_keeps_two_versions_of_a_package_apart() {
        let one = finding("time", &["CVE-1"], Severity::Low, "trivy");
        let two = Finding { version: Some("2.0.0".to_owned()), ..one.clone() };
        assert_eq!(merge(vec![one, two]).len(), 2);
    }
}
