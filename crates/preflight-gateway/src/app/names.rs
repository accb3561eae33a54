//! What clients name things by.

use std::fmt;
use std::str::FromStr;

use mintmark_fault::{Fault, Result};

/// The policy of a job that names none.
pub const DEFAULT_POLICY: &str = "digital-print";

/// Words that stand where a job's name does in a path, and mean something else there.
const NO_JOBS: [&str; 2] = ["policies", "metrics"];

const LONGEST_NAME: usize = 128;
const LONGEST_POLICY: usize = 64;
const LONGEST_VERSION: usize = 32;

/// A job's name within its tenant: what makes its creation idempotent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobKey(String);

impl JobKey {
    /// As the client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in a path: what is none does not exist.
    ///
    /// # Errors
    /// 404.
    pub fn of_path(text: &str) -> Result<Self> {
        text.parse().map_err(|_: Fault| Fault::not_found("job"))
    }
}

impl FromStr for JobKey {
    type Err = Fault;

    /// 400 `JOB_ID_INVALID`.
    fn from_str(text: &str) -> Result<Self> {
        if is_name(text) && !NO_JOBS.contains(&text) {
            return Ok(Self(text.to_owned()));
        }
        let sentence = format!(
            "a jobId is 1 to {LONGEST_NAME} of A-Z, a-z, 0-9, '.', '_', ':' and '-', begins with a letter or digit, and is \
             not policies or metrics"
        );
        Err(Fault::invalid("JOB_ID_INVALID", "jobId", sentence))
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A batch or an event, named as a job is.
///
/// # Errors
/// 400 with `code`.
pub fn name(code: &'static str, field: &'static str, text: &str) -> Result<String> {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    let sentence = format!(
        "this is 1 to {LONGEST_NAME} of A-Z, a-z, 0-9, '.', '_', ':' and '-', and begins with a letter or digit"
    );
    Err(Fault::invalid(code, field, sentence))
}

fn is_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte))
}

/// A policy as a job names it: its newest version, or one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRef {
    /// The policy.
    pub name: String,
    /// The version; absent: the newest.
    pub version: Option<String>,
}

impl Default for PolicyRef {
    fn default() -> Self {
        Self { name: DEFAULT_POLICY.to_owned(), version: None }
    }
}

impl FromStr for PolicyRef {
    type Err = Fault;

    /// `name` or `name@version`; 400 `POLICY_INVALID`.
    fn from_str(text: &str) -> Result<Self> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let good = |version: &str| {
            (1..=LONGEST_VERSION).contains(&version.len())
                && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
        };
        if is_policy(name) && version.is_none_or(good) {
            return Ok(Self { name: name.to_owned(), version: version.map(str::to_owned) });
        }
        let sentence = "write a policy as name or name@version, like digital-print";
        Err(Fault::invalid("POLICY_INVALID", "policy", sentence))
    }
}

/// Whether a policy may have this name: a letter, then at most 63 of a-z, 0-9 and `-`.
#[must_use]
pub fn is_policy(name: &str) -> bool {
    (1..=LONGEST_POLICY).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_str_of_a_job_refuses_what_could_be_something_else() {
        for good in ["job_manual_verify_101", "a", "A.b:c-d_9", "7", "policies2"] {
            assert_eq!(good.parse::<JobKey>().unwrap().as_str(), good);
        }
        let long = "a".repeat(129);
        for bad in
            ["", "policies", "metrics", "_a", ".a", "-a", "a b", "a/b", "a%2fb", "ä", "a\n", "a@b", &long]
        {
            assert_eq!(bad.parse::<JobKey>().unwrap_err().code(), "JOB_ID_INVALID", "{bad:?}");
        }
    }

    #[test]
    fn from_str_of_a_policy_reads_name_and_version() {
        let read = |text: &str| text.parse::<PolicyRef>().map(|read| (read.name, read.version));
        assert_eq!(read("acme-flyer").unwrap(), ("acme-flyer".to_owned(), None));
        assert_eq!(read("acme-flyer@12").unwrap(), ("acme-flyer".to_owned(), Some("12".to_owned())));
        for bad in ["", "@1", "a@", "a@1@2", "A", "9a", "a b", "a@1 2", "a_b"] {
            assert_eq!(read(bad).unwrap_err().code(), "POLICY_INVALID", "{bad:?}");
        }
    }
}
