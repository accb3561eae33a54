//! What came of a check, for people and for programs.

use serde::Serialize;

/// What came of one file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// As it was named.
    pub file: String,
    /// What it is: `bundle`, `inclusion`, `consistency`, `checkpoint`, `erasure`.
    pub kind: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// Why it does not: stable, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// What was found, in words.
    pub found: Vec<String>,
}

/// What came of all.
#[derive(Debug, Serialize)]
pub struct Outcomes {
    /// Whether every file holds.
    pub holds: bool,
    /// Each file.
    pub files: Vec<Outcome>,
}

impl Outcomes {
    /// As lines for a person.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for file in &self.files {
            let mark = if file.holds { '✓' } else { '✗' };
            text.push_str(&format!("{mark} {:<12} {}\n", file.kind, file.file));
            file.found.iter().for_each(|line| text.push_str(&format!("    {line}\n")));
        }
        text.push_str(if self.holds {
            "\nAll of it holds.\n"
        } else {
            "\nThis does not hold. See docs/audit.md.\n"
        });
        text
    }
}
