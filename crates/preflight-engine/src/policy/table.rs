//! Tables for people: a report, and the rules by variant of GWG 2022.

use std::fmt::{self, Write};

use super::{Finding, Limit, Report, RuleUse, Severity, Verdict, report::shortest, rules, variants};

/// Width of a line of text.
const WIDTH: usize = 100;

/// Where the text of a finding begins.
const INDENT: usize = 37;

/// Writes a report as a table. `colour` adds the escape sequences of a terminal.
///
/// # Errors
/// Those of the writer.
pub fn write_report(out: &mut dyn Write, report: &Report, colour: bool) -> fmt::Result {
    let policy = &report.policy;
    let counts = &report.counts;
    let verdict = match report.verdict {
        Verdict::Pass => "PASS",
        Verdict::PassWithWarnings => "PASS WITH WARNINGS",
        Verdict::Fail => "FAIL",
        Verdict::Incomplete => "INCOMPLETE",
    };
    writeln!(out, "Policy   {} ({}, version {})", policy.title, policy.id, policy.version)?;
    let shade = match report.verdict {
        Verdict::Pass => GREEN,
        Verdict::Fail => RED,
        Verdict::PassWithWarnings | Verdict::Incomplete => YELLOW,
    };
    writeln!(out, "Verdict  {}", painted(verdict, shade, colour))?;
    writeln!(out, "Found    {}, {}", counted(counts.errors, "error"), counted(counts.warnings, "warning"))?;
    writeln!(
        out,
        "Rules    {} passed, {} failed, {} not evaluated",
        counts.passed, counts.failed, counts.not_evaluated
    )?;
    write_findings(out, report, colour)?;
    write_not_evaluated(out, report)?;
    let notes =
        report.rules.iter().flat_map(|rule| rule.notes.iter().map(move |note| (rule.rule.as_str(), note)));
    write_list(out, "Noted", notes)?;
    write_list(out, "Assumed", report.used.notes.iter().map(|note| ("", note)))
}

fn write_findings(out: &mut dyn Write, report: &Report, colour: bool) -> fmt::Result {
    if report.findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{:<9}{:<7}{:>5} {:<15}What", "Severity", "Rule", "Page", "  At mm")?;
    // What must be mended comes first.
    for severity in [Severity::Error, Severity::Warning] {
        for rule in &report.rules {
            let of_rule = |finding: &&Finding| finding.rule == rule.rule && finding.severity == severity;
            for finding in report.findings.iter().filter(of_rule) {
                write_finding(out, finding, colour)?;
            }
            if rule.left_off > 0 && rule.severity.unwrap_or(Severity::Error) == severity {
                writeln!(out, "{:<9}{:<7}and {} more", "", rule.rule, thousands(rule.left_off))?;
            }
        }
    }
    Ok(())
}

fn write_finding(out: &mut dyn Write, finding: &Finding, colour: bool) -> fmt::Result {
    let severity = format!("{:<9}", finding.severity.as_str());
    let shade = if finding.severity == Severity::Error { RED } else { YELLOW };
    let page = finding.page.map_or_else(String::new, |page| page.to_string());
    let place =
        finding.bbox_mm.map_or_else(String::new, |[left, bottom, ..]| format!("  {left:.1}, {bottom:.1}"));
    let mut text = finding.message.clone();
    if finding.count > 1 {
        let _ = write!(text, " ({} times)", thousands(finding.count));
    }
    if let Some(object) = finding.object {
        let operator = finding.operator.map_or_else(String::new, |operator| format!(", operator {operator}"));
        let _ = write!(text, " [object {}{operator}]", object.0);
    }
    let lines = wrapped(&text, WIDTH - INDENT);
    let first = lines.first().map_or("", String::as_str);
    let rule = finding.check.as_deref().unwrap_or(&finding.rule);
    writeln!(out, "{}{rule:<7}{page:>5} {place:<15}{first}", painted(&severity, shade, colour))?;
    for line in lines.iter().skip(1) {
        writeln!(out, "{:INDENT$}{line}", "")?;
    }
    for line in wrapped(&finding.mend, WIDTH - INDENT) {
        writeln!(out, "{:INDENT$}{}", "", painted(&line, DIM, colour))?;
    }
    Ok(())
}

/// Reasons, each once, with the rules that it stopped.
fn write_not_evaluated(out: &mut dyn Write, report: &Report) -> fmt::Result {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for rule in &report.rules {
        for reason in &rule.not_evaluated {
            match reasons.iter_mut().find(|(known, _)| known == reason) {
                Some((_, rules)) => rules.push(&rule.rule),
                None => reasons.push((reason, vec![&rule.rule])),
            }
        }
    }
    let lines: Vec<(&str, String)> = reasons
        .iter()
        .map(|(reason, rules)| match rules.as_slice() {
            [rule] => (*rule, (*reason).to_owned()),
            rules => ("", format!("{reason} It stopped {}.", rules.join(", "))),
        })
        .collect();
    write_list(out, "Not evaluated", lines.iter().map(|(head, text)| (*head, text)))
}

fn write_list<'a>(
    out: &mut dyn Write,
    title: &str,
    items: impl Iterator<Item = (&'a str, &'a String)>,
) -> fmt::Result {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    for (head, text) in items {
        let head = if head.is_empty() { "-" } else { head };
        for (index, line) in wrapped(text, WIDTH - 9).iter().enumerate() {
            writeln!(out, "  {:<7}{line}", if index == 0 { head } else { "" })?;
        }
    }
    Ok(())
}

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const DIM: &str = "2";

fn painted(text: &str, shade: &str, colour: bool) -> String {
    if colour { format!("\u{1b}[{shade}m{text}\u{1b}[0m") } else { text.to_owned() }
}

fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", thousands(number), if number == 1 { "" } else { "s" })
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// What becomes of a rule in a variant.
fn cell(item: Option<&RuleUse>) -> String {
    let Some(item) = item else { return "–".to_owned() };
    let tiers = |limit: &str| item.number(limit).map_or_else(|| "–".to_owned(), shortest);
    let mut text = match item.severity {
        Some(Severity::Error) => "E".to_owned(),
        Some(Severity::Warning) => "W".to_owned(),
        None => format!("{}/{}", tiers("error_ppi"), tiers("warning_ppi")),
    };
    if item.severity.is_some() {
        for limit in item.limits.values() {
            if let Limit::Number(value) = limit {
                let _ = write!(text, " {}", shortest(*value));
            }
        }
    }
    if rules::find(&item.rule).is_none_or(|rule| rule.not_yet().is_some()) {
        text = format!("*{text}*");
    }
    text
}

/// The table of 39 rules by 23 variants, as `docs/preflight-rules.md` holds it.
#[must_use]
pub fn rules_by_variant() -> String {
    let mut out = String::from(HEAD);
    let _ = writeln!(
        out,
        "\n## Variants\n\n| no. | variant | policy | rules | not evaluated | best verdict |\n| --- | --- | --- | --- | --- | --- |"
    );
    let mut total = (0, 0);
    for (index, variant) in variants().iter().enumerate() {
        let not_yet = variant.policy.rules.iter().filter(|item| is_not_yet(item)).count();
        let count = variant.policy.rules.len();
        total = (total.0 + count, total.1 + not_yet);
        let best = if not_yet > 0 { "incomplete" } else { "pass" };
        let _ = writeln!(
            out,
            "| {} | {} | `{}` | {count} | {not_yet} | {best} |",
            index + 1,
            variant.name,
            variant.policy.id
        );
    }
    let ids: Vec<&rules::Rule> = rules::all().filter(|rule| rule.id.starts_with('R')).collect();
    let _ = writeln!(
        out,
        "\n## Rules\n\n| rule | asks |{}",
        (1..=variants().len()).fold(String::new(), |row, number| row + &format!(" {number} |"))
    );
    let _ = writeln!(out, "| --- | --- |{}", " --- |".repeat(variants().len()));
    for rule in &ids {
        let _ = write!(out, "| {} | {} |", rule.id, rule.title);
        for variant in variants() {
            let _ = write!(out, " {} |", cell(variant.policy.rules.iter().find(|item| item.rule == rule.id)));
        }
        out.push('\n');
    }
    let stopped = variants().iter().filter(|variant| variant.policy.rules.iter().any(is_not_yet)).count();
    let _ = writeln!(
        out,
        "\n## Counted\n\n{} rules by {} variants are {} cells: {} where a variant asks the rule, of which {} are evaluated and \
         {} are not; {} where it does not ask. {stopped} of {} variants can for now end no better than `incomplete`.",
        ids.len(),
        variants().len(),
        ids.len() * variants().len(),
        total.0,
        total.0 - total.1,
        total.1,
        ids.len() * variants().len() - total.0,
        variants().len()
    );
    write_others(&mut out);
    out
}

/// The rules that are not of GWG 2022, and what a tenant's policy may give each.
fn write_others(out: &mut String) {
    let _ = writeln!(
        out,
        "\n## Other rules\n\nFor policies of one's own, which may name the rules above too (limits `pt`, `error_ppi`, …): \
         `X` listed checks of PDF/X, `P` what a job states of its product (judged under every policy once stated), `D` any \
         document.\n\n| rule | asks | limits |\n| --- | --- | --- |"
    );
    for rule in rules::all().filter(|rule| !rule.id.starts_with('R')) {
        let limits: Vec<String> = rule
            .parameters
            .iter()
            .map(|limit| format!("`{}`{}", limit.name, if limit.required { "" } else { " (optional)" }))
            .collect();
        let _ = writeln!(out, "| {} | {} | {} |", rule.id, rule.title, limits.join(", "));
    }
}

fn is_not_yet(item: &RuleUse) -> bool {
    rules::find(&item.rule).is_none_or(|rule| rule.not_yet().is_some())
}

const HEAD: &str = "# Rules of GWG 2022 by variant

Generated from the policies (`crates/preflight-engine/src/policy`); a test compares it and counts
(`UPDATE_GOLDEN=1 cargo test -p mintmark-preflight-engine --test policies` writes it anew). What each rule asks in full is
in the specification of the Ghent Workgroup; what we take for granted is in every report under `used.notes`.

- `E` a violation is an error, `W` a warning, with the limits behind it in the rule's units; `149/224` is the limit of
  errors and of warnings; `–` the variant does not ask the rule.
- *In italics*: not evaluated by this version. A policy with such a rule never says `pass`.
- R0001 makes the listed checks of PDF/X-4 (policy `pdfx-4-listed`), which is no certification. Of ISO 19593-1, which
  R0001 names too in packaging (15 to 21), R1001 and R1002 are what is checked. R0037 is no check: it
  says that scaling factor and viewing distance apply to the limits.
- R1001 in 15 to 17 needs the job's product type, without which it is not evaluated; R1002 there is asked of product types
  whose own variant asks it, and of jobs that state none.
";
