//! What the findings mean for the change: which block it, which warn, which are excused.

use chrono::{DateTime, NaiveDate, Utc};

use crate::{Exception, Exceptions, Finding, Level, Severity};

/// What the command line lets pass; it is printed with every finding that it touches.
#[derive(Debug, Clone, Default)]
pub struct Bypass {
    /// Ids of advisories, in any of their names.
    pub advisories: Vec<String>,
    /// Packages, whatever is found in them.
    pub packages: Vec<String>,
}

/// What happens to a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// At the threshold or above: the change does not land.
    Blocks,
    /// Below the threshold, but the agreement gives it a deadline.
    Warns,
    /// Best effort.
    Noted,
    /// Let pass, and by what.
    Excused(String),
}

/// A finding, what happens to it, and until when it must be gone.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What was found.
    pub finding: Finding,
    /// What follows.
    pub outcome: Outcome,
    /// The end of its allowance, counted from its detection.
    pub due: Option<DateTime<Utc>>,
}

/// The whole judgement.
#[derive(Debug)]
pub struct Verdict {
    /// All findings, the worst first.
    pub judged: Vec<Judged>,
    /// Exceptions whose last day is over: each fails the run, whether or not it still has a finding.
    pub expired: Vec<Exception>,
    /// Exceptions that no finding needs any more.
    pub unused: Vec<Exception>,
    /// From which severity on a finding blocks.
    pub threshold: Severity,
}

impl Verdict {
    /// Whether the change may not land.
    #[must_use]
    pub fn blocks(&self) -> bool {
        !self.expired.is_empty() || self.count(&Outcome::Blocks) > 0
    }

    /// How many findings have this outcome.
    #[must_use]
    pub fn count(&self, outcome: &Outcome) -> usize {
        self.judged.iter().filter(|judged| judged.outcome == *outcome).count()
    }
}

/// Judges what all reports together found.
#[must_use]
pub fn judge(
    findings: Vec<Finding>,
    threshold: Severity,
    bypass: &Bypass,
    exceptions: &Exceptions,
    detected: DateTime<Utc>,
    today: NaiveDate,
) -> Verdict {
    let (expired, valid): (Vec<&Exception>, Vec<&Exception>) =
        exceptions.entries.iter().partition(|entry| entry.is_expired(today));
    let unused = valid.iter().filter(|entry| !findings.iter().any(|finding| entry.is_for(finding)));
    let unused = unused.map(|entry| (*entry).clone()).collect();
    let mut judged: Vec<Judged> = findings
        .into_iter()
        .map(|finding| Judged {
            outcome: outcome(&finding, threshold, bypass, &valid),
            due: finding.severity.level().allowance().map(|allowance| detected + allowance),
            finding,
        })
        .collect();
    judged.sort_by(|one, other| {
        let key = |judged: &Judged| (judged.finding.severity, judged.finding.score);
        key(other).cmp(&key(one)).then_with(|| one.finding.package.cmp(&other.finding.package))
    });
    Verdict { judged, expired: expired.into_iter().cloned().collect(), unused, threshold }
}

fn outcome(finding: &Finding, threshold: Severity, bypass: &Bypass, exceptions: &[&Exception]) -> Outcome {
    if let Some(entry) = exceptions.iter().find(|entry| entry.is_for(finding)) {
        return Outcome::Excused(format!(
            "excepted until {} by {}: {}",
            entry.expires, entry.ticket, entry.justification
        ));
    }
    if let Some(id) = bypass.advisories.iter().find(|id| finding.is_called(id)) {
        return Outcome::Excused(format!("ignored on the command line: --ignore-cve {id}"));
    }
    if bypass.packages.contains(&finding.package) {
        return Outcome::Excused(format!("ignored on the command line: --ignore-pkg {}", finding.package));
    }
    if finding.severity >= threshold {
        Outcome::Blocks
    } else if finding.severity.level() == Level::Sev3 {
        Outcome::Noted
    } else {
        Outcome::Warns
    }
}
