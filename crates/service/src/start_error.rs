//! Why a service could not start or go on, as a sentence that says what to do.

use std::error::Error;

use mintmark_fault::Fault;

/// A sentence for the operator, with the cause behind it for the log.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct StartError {
    sentence: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StartError {
    /// Only a sentence.
    #[must_use]
    pub fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), source: None }
    }

    /// Adds what lies behind it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The sentence followed by its causes, for a terminal or a log line.
    #[must_use]
    pub fn with_causes(&self) -> String {
        let mut line = self.sentence.clone();
        let mut cause = self.source();
        // The sentence of a fault is its own message, so it would stand there twice.
        if cause.is_some_and(<dyn Error>::is::<Fault>) {
            cause = cause.and_then(Error::source);
        }
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        line
    }
}

impl From<Fault> for StartError {
    fn from(fault: Fault) -> Self {
        Self { sentence: fault.message().to_owned(), source: Some(Box::new(fault)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_causes_names_every_cause_once() {
        let cause = std::io::Error::other("disk is full");
        let error = StartError::new("cannot write the log").caused_by(cause);
        assert_eq!(error.with_causes(), "cannot write the log: disk is full");
        assert_eq!(error.to_string(), "cannot write the log");
    }
}
