//! Reports of scanners. A report that is empty, cut off or of an unknown form is an error and never a pass: a scanner
//! that did not run finds nothing either.

mod cargo_audit;
mod npm_audit;
mod trivy;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Finding;

/// Far above any report; a file that is larger is something else.
const MAX_BYTES: u64 = 256 << 20;

/// Why a report cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The file is not there, or cannot be read.
    #[error("{}: the report cannot be read: did the scanner run?", path.display())]
    Unreadable {
        /// The report.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Larger than any report.
    #[error("{}: larger than {} MiB, which no report is: name the scanner's JSON report", path.display(), MAX_BYTES >> 20)]
    TooLarge {
        /// The report.
        path: PathBuf,
    },
    /// Nothing in it.
    #[error("{}: the report is empty, so nothing was scanned: run the scanner again", path.display())]
    Empty {
        /// The report.
        path: PathBuf,
    },
    /// Not a JSON object, or cut off.
    #[error("{}: the report is not JSON, or it was cut off: write it with the scanner's JSON format", path.display())]
    NotJson {
        /// The report.
        path: PathBuf,
        /// Where.
        source: serde_json::Error,
    },
    /// JSON, but of no scanner that the gate knows.
    #[error("{}: neither a report of cargo audit, nor of Trivy (schema 2), nor of npm audit", path.display())]
    Unknown {
        /// The report.
        path: PathBuf,
    },
    /// Of a known scanner, but without what makes it one.
    #[error("{}: {problem}", path.display())]
    Incomplete {
        /// The report.
        path: PathBuf,
        /// What is missing or contradicts itself.
        problem: String,
    },
}

/// Reads one report, of whichever scanner it is.
///
/// # Errors
/// Whatever leaves doubt that the report is whole and that something was scanned.
pub fn read(path: &Path) -> Result<Vec<Finding>, ReportError> {
    let text = text(path)?;
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(ReportError::Empty { path: path.to_owned() });
    }
    let report: Value = serde_json::from_slice(&text)
        .map_err(|source| ReportError::NotJson { path: path.to_owned(), source })?;
    let has = |name: &str| report.get(name).is_some();
    let name = path.display().to_string();
    let found = if has("lockfile") && has("vulnerabilities") {
        cargo_audit::findings(report, &name)
    } else if has("SchemaVersion") {
        trivy::findings(report, &name)
    } else if has("auditReportVersion") || has("advisories") || has("error") {
        npm_audit::findings(report, &name)
    } else {
        return Err(ReportError::Unknown { path: path.to_owned() });
    };
    found.map_err(|problem| ReportError::Incomplete { path: path.to_owned(), problem })
}

fn text(path: &Path) -> Result<Vec<u8>, ReportError> {
    let unreadable = |source| ReportError::Unreadable { path: path.to_owned(), source };
    let mut text = Vec::new();
    File::open(path).map_err(unreadable)?.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(ReportError::TooLarge { path: path.to_owned() });
    }
    Ok(text)
}

/// The report as the type of its scanner.
fn typed<T: DeserializeOwned>(report: Value, scanner: &str) -> Result<T, String> {
    serde_json::from_value(report)
        .map_err(|error| format!("looks like a report of {scanner} and is not a whole one: {error}"))
}
