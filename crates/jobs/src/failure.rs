use mintmark_fault::{Fault, Kind};

/// How an attempt failed.
#[derive(Debug)]
pub enum JobFailure {
    /// Trying again may help: after a pause, while attempts are left.
    Retry(Fault),
    /// Trying again cannot help: the job becomes a dead letter at once.
    Fatal(Fault),
}

impl JobFailure {
    /// What went wrong.
    #[must_use]
    pub fn fault(&self) -> &Fault {
        match self {
            Self::Retry(fault) | Self::Fatal(fault) => fault,
        }
    }
}

/// What is away, slow, busy or our own mistake may be well next time; a refusal stays one.
impl From<Fault> for JobFailure {
    fn from(fault: Fault) -> Self {
        match fault.kind() {
            Kind::Unavailable | Kind::Timeout | Kind::RateLimited | Kind::Internal => Self::Retry(fault),
            _ => Self::Fatal(fault),
        }
    }
}
