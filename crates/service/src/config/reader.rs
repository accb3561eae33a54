//! The reader: where values come from, what was wrong with them, and what was asked for.

use std::collections::HashMap;
use std::fmt;

use super::variable::{Need, Variable};

/// Reads variables one by one and remembers every problem; `finish` hands out the result or all problems.
///
/// Each getter returns `None` when its variable is bad, so that a parser can be written with `?` only at its end:
/// read everything into locals first, then `Some(Config { a: a?, b: b? })`. An empty value counts as unset.
#[derive(Debug)]
pub struct Reader {
    source: Source,
    problems: Vec<Problem>,
    described: Vec<Variable>,
}

enum Source {
    Process,
    Pairs(HashMap<String, String>),
}

impl fmt::Debug for Source {
    // Values may be secrets, so only the kind is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Process => "Process",
            Self::Pairs(_) => "Pairs",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    name: String,
    sentence: String,
}

/// Everything that is wrong with the configuration, one line a problem: `NAME: sentence`.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct ConfigErrors(Vec<Problem>);

impl ConfigErrors {
    /// Each problem as `(variable, sentence)`, in the order in which they were met.
    pub fn problems(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|problem| (problem.name.as_str(), problem.sentence.as_str()))
    }
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.name, p.sentence)).collect();
    lines.join("\n")
}

impl Reader {
    /// Reads the environment of this process.
    #[must_use]
    pub fn process() -> Self {
        Self::from_source(Source::Process)
    }

    /// Reads from the given pairs alone, for tests.
    #[must_use]
    pub fn from_pairs<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::from_source(Source::Pairs(
            pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
        ))
    }

    fn from_source(source: Source) -> Self {
        Self { source, problems: Vec::new(), described: Vec::new() }
    }

    /// Records a problem; the sentence says what to do and never contains a secret.
    pub fn problem(&mut self, name: impl Into<String>, sentence: impl Into<String>) {
        let problem = Problem { name: name.into(), sentence: sentence.into() };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Hands out what was parsed, or all problems. Nothing parsed without a problem recorded is a problem too.
    ///
    /// # Errors
    /// Every problem that was recorded.
    pub fn finish<T>(mut self, parsed: Option<T>) -> Result<T, ConfigErrors> {
        if self.problems.is_empty() && parsed.is_none() {
            self.problem("configuration", "was refused without a reason: report this as a bug");
        }
        match parsed {
            Some(parsed) if self.problems.is_empty() => Ok(parsed),
            _ => Err(ConfigErrors(self.problems)),
        }
    }

    /// Every variable that was asked for, in order, each once.
    #[must_use]
    pub fn described(&self) -> &[Variable] {
        &self.described
    }

    /// Says in the description that `name`, which was asked for, is needed when `condition`; the caller refuses a
    /// configuration without it.
    pub fn needed_when(&mut self, name: &'static str, condition: &'static str) {
        let known = self.described.iter_mut().find(|known| known.name == name);
        if let Some(known) = known.filter(|known| known.need == Need::Never) {
            known.need = Need::When(condition);
        }
    }

    /// Whether a variable that is described elsewhere is set.
    pub(super) fn has(&self, name: &str) -> bool {
        match &self.source {
            Source::Pairs(pairs) => pairs.get(name).is_some_and(|value| !value.is_empty()),
            Source::Process => std::env::var_os(name).is_some_and(|value| !value.is_empty()),
        }
    }

    /// The value, `Some(None)` when unset or empty, `None` (with a problem) when it is not text.
    pub(super) fn read(&mut self, variable: Variable) -> Option<Option<String>> {
        let name = variable.name;
        if !self.described.iter().any(|known| known.name == name) {
            self.described.push(variable);
        }
        let value = match &self.source {
            Source::Pairs(pairs) => pairs.get(name).cloned(),
            Source::Process => match std::env::var(name) {
                Ok(value) => Some(value),
                Err(std::env::VarError::NotPresent) => None,
                Err(std::env::VarError::NotUnicode(_)) => {
                    self.problem(name, "is not UTF-8 text: set it again");
                    return None;
                }
            },
        };
        Some(value.filter(|value| !value.is_empty()))
    }
}
