//! The severity of a finding, and what the service level agreement asks for it.

use std::fmt;

use chrono::TimeDelta;
use clap::ValueEnum;

use crate::Score;

/// How bad a finding is, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Severity {
    /// CVSS below 4.0.
    Low,
    /// CVSS 4.0 to 6.9; npm says "moderate".
    #[value(alias = "moderate")]
    Medium,
    /// CVSS 7.0 to 8.9, and everything that nobody has scored.
    High,
    /// CVSS 9.0 and above.
    Critical,
}

impl Severity {
    /// The severity that a CVSS v3 base score stands for.
    #[must_use]
    pub fn of_score(score: Score) -> Self {
        match score.tenths() {
            90.. => Self::Critical,
            70..=89 => Self::High,
            40..=69 => Self::Medium,
            _ => Self::Low,
        }
    }

    /// What a scanner calls the severity; `None` for a word that classifies nothing, like `UNKNOWN`.
    #[must_use]
    pub fn of_label(label: &str) -> Option<Self> {
        match label.to_ascii_lowercase().as_str() {
            "critical" => Some(Self::Critical),
            "high" => Some(Self::High),
            "medium" | "moderate" => Some(Self::Medium),
            "low" | "info" | "none" | "negligible" => Some(Self::Low),
            _ => None,
        }
    }

    /// Score and label together: the worse of the two, and HIGH where there is neither.
    #[must_use]
    pub fn of(score: Option<Score>, label: Option<Self>) -> Self {
        score.map(Self::of_score).max(label).unwrap_or(Self::High)
    }

    /// The row of the service level agreement.
    #[must_use]
    pub fn level(self) -> Level {
        match self {
            Self::Critical | Self::High => Level::Sev1,
            Self::Medium => Level::Sev2,
            Self::Low => Level::Sev3,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        })
    }
}

/// A row of the service level agreement in `SECURITY.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Critical and high: within 24 hours, blocks.
    Sev1,
    /// Medium: within 7 days, warns.
    Sev2,
    /// Low: best effort.
    Sev3,
}

impl Level {
    /// How long after its detection a finding may stay; `None` where only best effort is owed.
    #[must_use]
    pub fn allowance(self) -> Option<TimeDelta> {
        match self {
            Self::Sev1 => Some(TimeDelta::hours(24)),
            Self::Sev2 => Some(TimeDelta::days(7)),
            Self::Sev3 => None,
        }
    }

    /// The allowance in words.
    #[must_use]
    pub fn allowance_in_words(self) -> &'static str {
        match self {
            Self::Sev1 => "24 hours",
            Self::Sev2 => "7 days",
            Self::Sev3 => "best effort",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sev1 => "SEV1",
            Self::Sev2 => "SEV2",
            Self::Sev3 => "SEV3",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_changes_at_the_bounds_of_the_agreement() {
        let of = |score| Severity::of(Score::new(score), None);
        assert_eq!((of(10.0), of(9.0), of(8.9)), (Severity::Critical, Severity::Critical, Severity::High));
        assert_eq!((of(7.0), of(6.9)), (Severity::High, Severity::Medium));
        assert_eq!((of(4.0), of(3.9), of(0.0)), (Severity::Medium, Severity::Low, Severity::Low));
        assert_eq!(
            (of(7.0).level(), of(6.9).level(), of(3.9).level()),
            (Level::Sev1, Level::Sev2, Level::Sev3)
        );
    }

    #[test]
    fn severity_without_a_score_is_the_label_and_without_both_high() {
        assert_eq!(Severity::of(None, Severity::of_label("Moderate")), Severity::Medium);
        assert_eq!(Severity::of(None, Severity::of_label("UNKNOWN")), Severity::High);
        assert_eq!(Severity::of(None, None), Severity::High);
    }

    #[test]
    fn severity_of_a_score_and_a_label_that_disagree_is_the_worse() {
        assert_eq!(Severity::of(Score::new(9.8), Severity::of_label("LOW")), Severity::Critical);
        assert_eq!(Severity::of(Score::new(3.1), Severity::of_label("HIGH")), Severity::High);
    }
}
