//! The command line of `security-gate`.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Parser;
use clap::builder::NonEmptyStringValueParser;

use crate::{Bypass, Exceptions, Finding, Severity, Verdict};

/// Judges reports of vulnerability scanners: 0 nothing blocks, 1 something does, 2 there is no judgement.
#[derive(Debug, Parser)]
#[command(name = "security-gate", version)]
pub struct Args {
    /// A JSON report of cargo audit, Trivy or npm audit; several times for several reports.
    #[arg(long = "file", required = true, value_name = "REPORT")]
    files: Vec<PathBuf>,
    /// From which severity on a finding blocks.
    #[arg(long, value_enum, default_value = "high", ignore_case = true)]
    threshold: Severity,
    /// Lets an advisory pass, by any of its ids (CVE, GHSA, RUSTSEC).
    #[arg(long = "ignore-cve", value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    ignored_advisories: Vec<String>,
    /// Lets everything pass that is found in a package.
    #[arg(long = "ignore-pkg", value_name = "PACKAGE", value_parser = NonEmptyStringValueParser::new())]
    ignored_packages: Vec<String>,
    /// The reviewed file of exceptions (TOML).
    #[arg(long, value_name = "FILE")]
    exceptions: Option<PathBuf>,
    /// When the findings were first seen (RFC 3339); deadlines are counted from there. Now, where it is not said.
    #[arg(long, value_name = "TIME")]
    detected_at: Option<DateTime<Utc>>,
}

impl Args {
    /// Judges, prints, and says by the exit code what came out.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let now = Utc::now();
        let detected = self.detected_at.unwrap_or(now);
        let printed = self.judge(now, detected).and_then(|verdict| {
            crate::print(&verdict, detected, &mut io::stdout().lock())?;
            Ok(verdict)
        });
        match printed {
            Ok(verdict) if verdict.blocks() => ExitCode::from(1),
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => {
                report(error.as_ref());
                ExitCode::from(2)
            }
        }
    }

    fn judge(self, now: DateTime<Utc>, detected: DateTime<Utc>) -> Result<Verdict, Box<dyn Error>> {
        let today = now.date_naive();
        let exceptions = match &self.exceptions {
            Some(path) => Exceptions::read(path, today)?,
            None => Exceptions::default(),
        };
        let mut findings: Vec<Finding> = Vec::new();
        for file in &self.files {
            findings.extend(crate::read(file)?);
        }
        let bypass = Bypass { advisories: self.ignored_advisories, packages: self.ignored_packages };
        Ok(crate::judge(crate::merge(findings), self.threshold, &bypass, &exceptions, detected, today))
    }
}

/// The error and its causes, a line.
pub fn report(error: &dyn Error) {
    let mut line = format!("security-gate: {error}");
    let mut cause = error.source();
    while let Some(next) = cause {
        line.push_str(": ");
        line.push_str(next.to_string().trim_end());
        cause = next.source();
    }
    eprintln!("{line}");
}
