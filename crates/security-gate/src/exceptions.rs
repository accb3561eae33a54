//! The reviewed file of exceptions: each names one advisory in one package, why it may stay, until when, and the ticket.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{NaiveDate, TimeDelta};
use serde::Deserialize;

use crate::Finding;

/// An exception is a promise to come back: it may not lie farther ahead than this.
pub const MAX_DAYS: i64 = 90;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExceptionsError {
    /// The file is not there, or cannot be read.
    #[error("{}: the exceptions cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not TOML, or a field is missing or unknown.
    #[error(
        "{}: every [[exception]] has advisory, package, justification, expires (\"YYYY-MM-DD\") and ticket, and nothing else",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// A field is there and says nothing, or too much.
    #[error("{}: the exception for {advisory} in {package}: {problem}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The advisory it names.
        advisory: String,
        /// The package it names.
        package: String,
        /// What is wrong.
        problem: String,
    },
}

/// One entry of the file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// An id of the advisory: `RUSTSEC-…`, `CVE-…` or `GHSA-…`.
    pub advisory: String,
    /// The package that it is excused in.
    pub package: String,
    /// Why the finding may stay.
    pub justification: String,
    /// The last day on which it may, in UTC.
    pub expires: NaiveDate,
    /// The signed ticket of the security owners.
    pub ticket: String,
}

impl Exception {
    /// Whether its last day is over.
    #[must_use]
    pub fn is_expired(&self, today: NaiveDate) -> bool {
        today > self.expires
    }

    /// Whether it is written for this finding.
    #[must_use]
    pub fn is_for(&self, finding: &Finding) -> bool {
        finding.package == self.package && finding.is_called(&self.advisory)
    }
}

/// All entries of the file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    /// In the order of the file.
    #[serde(default, rename = "exception")]
    pub entries: Vec<Exception>,
}

impl Exceptions {
    /// Reads and checks the file. Expired entries are read: that they stand there at all is for the verdict.
    ///
    /// # Errors
    /// The file cannot be read, or an entry does not say everything that it must.
    pub fn read(path: &Path, today: NaiveDate) -> Result<Self, ExceptionsError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ExceptionsError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, path, today)
    }

    fn parse(text: &str, path: &Path, today: NaiveDate) -> Result<Self, ExceptionsError> {
        let file: Self = toml::from_str(text).map_err(|source| ExceptionsError::Malformed {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        for entry in &file.entries {
            if let Some(problem) = problem(entry, today) {
                return Err(ExceptionsError::Refused {
                    path: path.to_owned(),
                    advisory: entry.advisory.clone(),
                    package: entry.package.clone(),
                    problem,
                });
            }
        }
        Ok(file)
    }
}

fn problem(entry: &Exception, today: NaiveDate) -> Option<String> {
    let required = [
        ("advisory", &entry.advisory),
        ("package", &entry.package),
        ("justification", &entry.justification),
        ("ticket", &entry.ticket),
    ];
    if let Some((field, _)) = required.iter().find(|(_, text)| text.trim().is_empty()) {
        return Some(format!("{field} is empty: say it"));
    }
    if entry.expires - today > TimeDelta::days(MAX_DAYS) {
        return Some(format!(
            "it expires on {}, more than {MAX_DAYS} days ahead: choose a nearer day",
            entry.expires
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
        [[exception]]
        advisory = "RUSTSEC-2024-0421"
        package = "idna"
        justification = "we never decode Punycode"
        expires = "2026-12-01"
        ticket = "SEC-17"
    "#;

    fn parse(text: &str) -> Result<Exceptions, ExceptionsError> {
        Exceptions::parse(text, Path::new("exceptions.toml"), day("2026-11-22"))
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn exceptions_without_one_of_the_required_fields_are_refused() {
        assert_eq!(parse(WHOLE).unwrap().entries.len(), 1);
        for field in ["advisory", "package", "justification", "expires", "ticket"] {
            let without: String = WHOLE
                .lines()
                .filter(|line| !line.trim_start().starts_with(field))
                .collect::<Vec<_>>()
                .join("\n");
            let error = parse(&without).unwrap_err();
            assert!(
                matches!(&error, ExceptionsError::Malformed { source, .. } if source.to_string().contains(field))
            );
        }
        for (field, said) in
            [("SEC-17", "ticket"), ("we never decode Punycode", "justification"), ("idna", "package")]
        {
            let error = parse(&WHOLE.replace(field, " ")).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn exceptions_that_are_misspelt_endless_or_no_dates_are_refused() {
        assert!(parse(&format!("{WHOLE}\nuntil = 1")).is_err());
        assert!(parse(&WHOLE.replace("[[exception]]", "[[exceptions]]")).is_err());
        assert!(parse(&WHOLE.replace("2026-12-01", "never")).is_err());
        assert!(parse(&WHOLE.replace("2026-12-01", "2027-02-20")).is_ok(), "ninety days");
        assert!(
            parse(&WHOLE.replace("2026-12-01", "2027-02-21")).unwrap_err().to_string().contains("90 days")
        );
        assert!(parse("").unwrap().entries.is_empty());
    }

    #[test]
    fn an_exception_holds_through_its_last_day() {
        let entry = &parse(WHOLE).unwrap().entries[0];
        assert!(!entry.is_expired(day("2026-12-01")));
        assert!(entry.is_expired(day("2026-12-02")));
    }
}
