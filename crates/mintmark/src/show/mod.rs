//! What a command prints: tables and fields for people, documents for programs, and which of the two.

mod table;

use std::io::{IsTerminal, Write};

use console::{Style, Term};
use serde_json::Value;

use crate::client::Listed;
use crate::failure::{Failure, describe_io};

pub use table::Column;

/// Where the result goes, and in which form.
#[derive(Clone, Copy)]
pub struct Screen {
    /// Documents instead of words.
    pub json: bool,
    /// Columns of the terminal; none where the output is no terminal.
    width: Option<usize>,
    colour: bool,
}

/// What a state means, and so its colour.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Good,
    Underway,
    Bad,
    Past,
}

impl Screen {
    /// The screen of this process. Colour is for a terminal whose owner did not set `NO_COLOR`.
    pub fn new(json: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let width = terminal.then(|| Term::stdout().size_checked()).flatten();
        Self { json, width: width.map(|(_, columns)| usize::from(columns)), colour: colours(terminal) }
    }

    /// One thing: the document as it is, or `fields` of it, aligned.
    pub fn thing(&self, document: &Value, fields: &[(&str, String)]) -> Result<(), Failure> {
        if self.json {
            return self.document(document);
        }
        let shown = || fields.iter().filter(|(_, value)| !value.is_empty());
        let width = shown().map(|(name, _)| console::measure_text_width(name)).max().unwrap_or(0);
        self.print(&shown().fold(String::new(), |text, (name, value)| {
            let gap = " ".repeat(width - console::measure_text_width(name) + 2);
            format!("{text}{}{gap}{value}\n", self.quiet(name))
        }))
    }

    /// A list: its document, or a table of `rows`, or `empty` in words. Says so when there is more.
    pub fn list(
        &self,
        listed: &Listed,
        columns: &[Column],
        row: impl Fn(&Value) -> Vec<String>,
        empty: &str,
    ) -> Result<(), Failure> {
        if self.json {
            return self.document(&listed.document());
        }
        if listed.items.is_empty() {
            return self.print(&format!("{empty}\n"));
        }
        self.table(columns, listed.items.iter().map(row).collect())?;
        if let Some(next) = &listed.next {
            // Not part of the result: it must not end up in somebody's file.
            eprintln!(
                "{}",
                self.quiet(&format!("… and more: --all shows them, --cursor {next} goes on here"))
            );
        }
        Ok(())
    }

    /// A table of rows that were made already.
    pub fn table(&self, columns: &[Column], rows: Vec<Vec<String>>) -> Result<(), Failure> {
        let headings = |text: &str| self.quiet(text);
        self.print(&table::render(columns, &rows, self.width, &headings))
    }

    /// A document for programs.
    pub fn document(&self, document: &Value) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(document)
            .map_err(|error| Failure::local(format!("the result cannot be written as JSON: {error}")))?;
        self.print(&format!("{text}\n"))
    }

    /// Text on standard output. A reader that went away (`| head`) ends the command without a word.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            done => done.map_err(|error| {
                Failure::local(format!("could not write the result: {}", describe_io(&error)))
            }),
        }
    }

    /// A sentence for people about what was done; programs read the document instead.
    pub fn say(&self, sentence: &str) {
        if !self.json {
            eprintln!("{sentence}");
        }
    }

    /// Whether colours are welcome.
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// A state in its colour.
    pub fn state(&self, state: &str) -> String {
        let style = match mood(state) {
            Some(Mood::Good) => Style::new().green(),
            Some(Mood::Underway) => Style::new().yellow(),
            Some(Mood::Bad) => Style::new().red(),
            Some(Mood::Past) => Style::new().dim(),
            None => return state.to_owned(),
        };
        style.force_styling(self.colour).apply_to(state).to_string()
    }

    /// Words that stand back.
    pub fn quiet(&self, text: &str) -> String {
        Style::new().dim().force_styling(self.colour).apply_to(text).to_string()
    }
}

fn mood(state: &str) -> Option<Mood> {
    Some(match state {
        "sealed" | "ready" | "active" | "open" | "done" | "synced" | "pass" | "passed" | "completed" => {
            Mood::Good
        }
        "queued" | "minting" | "running" | "pending" | "warning" | "closing" | "held" => Mood::Underway,
        "failed" | "fail" | "revoked" | "refused" | "error" | "dead" => Mood::Bad,
        "cancelled" | "expired" | "disabled" | "closed" | "erased" | "destroyed" => Mood::Past,
        _ => return None,
    })
}

fn colours(terminal: bool) -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    terminal && !unwanted && !dumb
}

/// A string member; empty when it is not there.
pub fn text(thing: &Value, member: &str) -> String {
    match &thing[member] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

/// A number with separators; empty when it is not there.
pub fn number(thing: &Value, member: &str) -> String {
    thing[member].as_u64().map(crate::screen::count).unwrap_or_default()
}

/// A time to the second, in UTC: `2026-11-22 10:26:55`; empty when it is not there.
pub fn time(thing: &Value, member: &str) -> String {
    let Some(text) = thing[member].as_str() else { return String::new() };
    match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(time) => time.to_utc().format("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// The same with its time zone, for where no heading says it.
pub fn moment(thing: &Value, member: &str) -> String {
    let time = time(thing, member);
    if time.is_empty() { time } else { format!("{time} UTC") }
}

/// How much is done: `20,000 of 50,000 (40 %)`.
pub fn progress(thing: &Value) -> String {
    let (done, total) = (thing["progress"]["done"].as_u64(), thing["progress"]["total"].as_u64());
    let (Some(done), Some(total)) = (done, total) else { return String::new() };
    let share = (done * 100).checked_div(total).unwrap_or(0);
    format!("{} of {} ({share} %)", crate::screen::count(done), crate::screen::count(total))
}

/// Why something gave up; empty when it did not.
pub fn failure(thing: &Value) -> String {
    match (thing["failure"]["message"].as_str(), thing["failure"]["code"].as_str()) {
        (Some(message), Some(code)) => format!("{message} ({code})"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_printed_as_people_read_them() {
        let thing = json!({ "a": true, "n": 12345, "t": "2026-11-22T10:26:55.060Z", "progress": { "done": 1, "total": 3 } });
        assert_eq!((text(&thing, "a"), number(&thing, "n")), ("yes".to_owned(), "12,345".to_owned()));
        assert_eq!((time(&thing, "t"), time(&thing, "x")), ("2026-11-22 10:26:55".to_owned(), String::new()));
        assert_eq!(progress(&thing), "1 of 3 (33 %)");
        assert_eq!(progress(&json!({ "progress": { "done": 0, "total": 0 } })), "0 of 0 (0 %)");
    }
}
