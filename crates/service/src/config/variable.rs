//! What is known of a variable that was asked for, so that all of them can be printed.

use serde_json::{Value, json};

/// One variable that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The environment variable.
    pub name: &'static str,
    /// What it is when unset; `None` when there is no default.
    pub default: Option<String>,
    /// One sentence about it.
    pub about: &'static str,
    /// What its value looks like, with limits and unit; empty where any text will do.
    pub form: String,
    /// Whether the service starts without it.
    pub need: Need,
    /// What of it must never be shown.
    pub secrecy: Secrecy,
}

/// Whether a service starts without a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It never does.
    Always,
    /// It does not when this is so: what would stand after the word "when".
    When(&'static str),
    /// It does.
    Never,
}

/// What of a variable must never be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// Nothing.
    Open,
    /// The value.
    Value,
    /// What stands in the file that the value names.
    File,
}

impl Variable {
    /// One that may be absent, has no default, and may be shown.
    pub(super) fn open(name: &'static str, about: &'static str) -> Self {
        Self { name, default: None, about, form: String::new(), need: Need::Never, secrecy: Secrecy::Open }
    }

    pub(super) fn needed(self) -> Self {
        Self { need: Need::Always, ..self }
    }

    pub(super) fn hidden(self, secrecy: Secrecy) -> Self {
        Self { secrecy, ..self }
    }

    pub(super) fn like(self, form: impl Into<String>) -> Self {
        Self { form: form.into(), ..self }
    }

    /// As `--describe-config` prints it.
    pub(crate) fn json(&self) -> Value {
        let (needed, when) = match self.need {
            Need::Always => ("always", None),
            Need::When(condition) => ("when", Some(condition)),
            Need::Never => ("never", None),
        };
        let secret = match self.secrecy {
            Secrecy::Open => None,
            Secrecy::Value => Some("value"),
            Secrecy::File => Some("file"),
        };
        json!({
            "name": self.name, "default": self.default, "form": self.form, "needed": needed, "when": when,
            "secret": secret, "about": self.about,
        })
    }
}

/// The unit of a number, which the end of its variable's name says.
pub(super) fn unit(name: &str) -> &'static str {
    match name.rsplit('_').next() {
        Some("SECS" | "SEC") => " seconds",
        Some("MS") => " milliseconds",
        Some("BYTES") => " bytes",
        Some("DAYS") => " days",
        _ => "",
    }
}
