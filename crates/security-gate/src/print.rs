//! The verdict as a person reads it in the log of a run.

use std::io::{self, Write};

use chrono::{DateTime, Utc};

use crate::{Judged, Outcome, Verdict};

/// Writes the verdict: each finding with package, version, ids, severity, fix and deadline, then the sum.
///
/// # Errors
/// The output cannot be written.
pub fn print(verdict: &Verdict, detected: DateTime<Utc>, out: &mut impl Write) -> io::Result<()> {
    for judged in &verdict.judged {
        print_finding(judged, detected, out)?;
    }
    for entry in &verdict.expired {
        let (advisory, package) = (plain(&entry.advisory), plain(&entry.package));
        let ticket = plain(&entry.ticket);
        writeln!(
            out,
            "EXPIRED  the exception for {advisory} in {package} ended on {} ({ticket})",
            entry.expires
        )?;
        writeln!(out, "         do: take the fix and remove the entry, or have it reviewed again\n")?;
    }
    for entry in &verdict.unused {
        let (advisory, package) = (plain(&entry.advisory), plain(&entry.package));
        writeln!(out, "UNUSED   no report has {advisory} in {package} any more: remove its exception\n")?;
    }
    let (blocking, warning) = (verdict.count(&Outcome::Blocks), verdict.count(&Outcome::Warns));
    let (noted, all) = (verdict.count(&Outcome::Noted), verdict.judged.len());
    writeln!(
        out,
        "security-gate: {}: {blocking} at or above {}, {warning} with a warning, {noted} noted, {} excused, {} expired exceptions",
        if verdict.blocks() { "BLOCKED" } else { "passed" },
        verdict.threshold,
        all - blocking - warning - noted,
        verdict.expired.len(),
    )
}

fn print_finding(judged: &Judged, detected: DateTime<Utc>, out: &mut impl Write) -> io::Result<()> {
    let finding = &judged.finding;
    let word = match &judged.outcome {
        Outcome::Blocks => "BLOCKED ",
        Outcome::Warns => "WARNING ",
        Outcome::Noted => "NOTED   ",
        Outcome::Excused(_) => "EXCUSED ",
    };
    let score = finding.score.map_or_else(|| "no CVSS v3 score".to_owned(), |score| format!("CVSS {score}"));
    let level = finding.severity.level();
    let version = finding.version.as_deref().unwrap_or("(no version)");
    writeln!(
        out,
        "{word} {level} {} ({score})  {} {}  {}",
        finding.severity,
        plain(&finding.package),
        plain(version),
        plain(&finding.ids.join(", ")),
    )?;
    writeln!(out, "         {}", plain(&finding.title))?;
    writeln!(out, "         fix: {}", plain(&finding.fix))?;
    let detected = detected.format("%Y-%m-%d %H:%M");
    match judged.due {
        Some(due) => {
            let (due, words) = (due.format("%Y-%m-%d %H:%M"), level.allowance_in_words());
            writeln!(out, "         due: {due} UTC ({words} from its detection, {detected} UTC)")?;
        }
        None => writeln!(out, "         due: best effort, in the next minor or patch release")?,
    }
    if let Outcome::Excused(why) = &judged.outcome {
        writeln!(out, "         {}", plain(why))?;
    }
    writeln!(out, "         says: {}\n", plain(&finding.sources.join("; ")))
}

/// Reports quote what strangers wrote. Without control characters it stays on its line, moves no cursor and, in a CI
/// log, cannot begin a line that is read as a command.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
