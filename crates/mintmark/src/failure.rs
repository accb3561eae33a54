//! What went wrong, as a sentence that says what to do, and the exit status that goes with it.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::exit::Exit;

/// Does the work of a command and gives its exit status, after saying what went wrong.
pub fn run(work: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    perform(work).map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS)
}

/// The same for a command that may be asked for JSON: then the failure is a JSON document on standard error.
pub fn run_for(json: bool, work: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    perform(work).map_or_else(|failure| failure.report_for(json), |()| ExitCode::SUCCESS)
}

fn perform(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(work))
}

/// A failure that a person reads.
#[derive(Debug)]
pub struct Failure {
    sentence: String,
    exit: Exit,
    facts: Option<Box<Facts>>,
}

/// What a program wants to know of a failure, and what a person may do about it.
#[derive(Debug, Default)]
struct Facts {
    code: Option<String>,
    hint: Option<String>,
    status: Option<u16>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    members: Map<String, Value>,
}

impl Failure {
    /// A failure described by a whole sentence, which says what to do where something can be done.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), exit: Exit::Refused, facts: None }
    }

    /// A command line or a configuration that cannot be used.
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self::new(sentence).ending(Exit::Usage).coded("USAGE")
    }

    /// Something on this machine went wrong.
    pub fn local(sentence: impl Into<String>) -> Self {
        Self::new(sentence).ending(Exit::Local).coded("LOCAL")
    }

    /// The same with another exit status.
    pub fn ending(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The same with a stable name for programs.
    pub fn coded(mut self, code: impl Into<String>) -> Self {
        self.facts().code = Some(code.into());
        self
    }

    /// The same with a second sentence, about what to do.
    pub fn hinting(mut self, hint: impl Into<String>) -> Self {
        self.facts().hint = Some(hint.into());
        self
    }

    /// The same with what an HTTP answer said beside its sentence.
    pub fn answered(
        mut self,
        status: u16,
        request_id: Option<String>,
        retry_after: Option<Duration>,
        members: Map<String, Value>,
    ) -> Self {
        let facts = self.facts();
        (facts.status, facts.request_id, facts.retry_after) = (Some(status), request_id, retry_after);
        facts.members = members;
        self
    }

    /// How the command ends by it.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The stable name, where there is one.
    pub fn code(&self) -> &str {
        self.facts.as_ref().and_then(|facts| facts.code.as_deref()).unwrap_or("FAILED")
    }

    /// When the platform wants to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.facts.as_ref()?.retry_after
    }

    fn facts(&mut self) -> &mut Facts {
        self.facts.get_or_insert_default()
    }

    /// A failure described by an error and its causes.
    pub fn because(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::new(chain(error))
    }

    /// Prints the sentence and gives the exit status.
    pub fn report(&self) -> ExitCode {
        eprintln!("\nmintmark: {}", self.sentence);
        ExitCode::from(self.exit as u8)
    }

    /// Prints it for a person, or as one JSON document, and gives the exit status.
    pub fn report_for(&self, json: bool) -> ExitCode {
        if json {
            eprintln!("{}", self.document());
        } else {
            eprintln!("mintmark: {}", self.sentence);
            if let Some(facts) = &self.facts {
                facts.hint.iter().for_each(|hint| eprintln!("  {hint}"));
                facts.request_id.iter().for_each(|id| eprintln!("  request {id}, code {}", self.code()));
            }
        }
        ExitCode::from(self.exit as u8)
    }

    /// The failure as programs read it.
    pub fn document(&self) -> Value {
        let mut error = json!({ "code": self.code(), "message": self.sentence, "exit": self.exit as u8 });
        if let Some(facts) = &self.facts {
            for (name, value) in [
                ("hint", facts.hint.clone().map(Value::from)),
                ("status", facts.status.map(Value::from)),
                ("requestId", facts.request_id.clone().map(Value::from)),
                ("retryAfterSecs", facts.retry_after.map(|wait| wait.as_secs().into())),
                ("members", (!facts.members.is_empty()).then(|| Value::Object(facts.members.clone()))),
            ] {
                value.into_iter().for_each(|value| error[name] = value);
            }
        }
        json!({ "error": error })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.sentence)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(describe_io(&error))
    }
}

impl From<mintmark_devstack::DevstackError> for Failure {
    fn from(error: mintmark_devstack::DevstackError) -> Self {
        Self::new(chain(&error))
    }
}

/// An error and its causes in one sentence; a full disk anywhere below says what to do.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = match inner.downcast_ref::<std::io::Error>() {
            Some(io) => describe_io(io),
            None => inner.to_string(),
        };
        // A cause that only says the same again, perhaps with its code before it, is left out.
        if !words.ends_with(&sentence) {
            sentence = format!("{sentence}: {words}");
        }
        cause = inner.source();
    }
    sentence
}

/// An I/O error in words; a full disk says so.
pub fn describe_io(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::StorageFull => {
            "the disk is full: free some space (a gigabyte is plenty), then run the command again".to_owned()
        }
        std::io::ErrorKind::PermissionDenied => {
            format!("permission denied ({error}): run as the user who owns the folder")
        }
        _ => error.to_string(),
    }
}

/// Adds what was being done to an I/O error.
pub trait Doing<T> {
    /// `what` completes the sentence "could not …".
    fn doing(self, what: impl fmt::Display) -> Result<T, Failure>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, what: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::local(format!("could not {what}: {}", describe_io(&error))))
    }
}
