//! What went wrong, as a sentence that says what to do, and the exit status that goes with it.

use std::fmt;
use std::process::ExitCode;

/// Does the work of a command and gives its exit status, after saying what went wrong.
pub fn run(work: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(work)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// A failure that a person reads.
#[derive(Debug)]
pub struct Failure {
    sentence: String,
}

impl Failure {
    /// A failure described by a whole sentence, which says what to do where something can be done.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into() }
    }

    /// A failure described by an error and its causes.
    pub fn because(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::new(chain(error))
    }

    /// Prints the sentence and gives the exit status.
    pub fn report(&self) -> ExitCode {
        eprintln!("\nmintmark: {}", self.sentence);
        ExitCode::FAILURE
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
        self.map_err(|error| Failure::new(format!("could not {what}: {}", describe_io(&error))))
    }
}
