//! What came of one file.

use std::fmt;
use std::time::Duration;

use mintmark_preflight_engine::Facts;
use mintmark_preflight_engine::envelope::Confinement;

/// Facts, or why there are none.
#[derive(Debug)]
pub enum Outcome {
    /// The engine read the file.
    Facts(Box<Reading>),
    /// It did not.
    Failed(Failure),
}

/// What the engine said about a file.
#[derive(Debug)]
pub struct Reading {
    /// The facts, to be judged.
    pub facts: Facts,
    /// The same as the engine wrote them, to be kept.
    pub json: String,
    /// The version of the engine.
    pub engine: String,
    /// How far it had shut itself in.
    pub confinement: Confinement,
    /// Processor time that it took.
    pub cpu: Duration,
    /// Time from its start to its end.
    pub wall: Duration,
}

/// Why there are no facts. `Display` is a sentence for the owner of the file; `said` is for the log alone, since it may quote
/// the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// A defect of the engine that this file brought to light.
    Crashed {
        /// `a panic`, `signal 11`, `exit code 3`.
        how: String,
        /// The beginning of its standard error.
        said: String,
    },
    /// It reached a limit and was ended.
    Limited(Limit),
    /// It tried a system call that it must not make, and the kernel ended it.
    Refused,
    /// Somebody else ended it: an operator, or the kernel when the machine ran out of memory.
    Killed,
    /// Its output is no envelope of a version that is known here.
    Unreadable(String),
    /// It could not shut itself in wholly, and did not look at the file.
    Open(String),
    /// It could not be started.
    NotStarted(String),
}

/// The limit that a file reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Bytes of the file.
    Input,
    /// Address space.
    Memory,
    /// Processor time.
    Cpu,
    /// Time from start to end.
    WallClock,
    /// Bytes of facts.
    Output,
}

impl Limit {
    /// Its name in codes and labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::WallClock => "wall_clock",
            Self::Output => "output",
        }
    }
}

impl Failure {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Crashed { .. } => "ENGINE_CRASHED",
            Self::Limited(Limit::Input) => "ENGINE_LIMIT_INPUT",
            Self::Limited(Limit::Memory) => "ENGINE_LIMIT_MEMORY",
            Self::Limited(Limit::Cpu) => "ENGINE_LIMIT_CPU",
            Self::Limited(Limit::WallClock) => "ENGINE_LIMIT_WALL_CLOCK",
            Self::Limited(Limit::Output) => "ENGINE_LIMIT_OUTPUT",
            Self::Refused => "ENGINE_REFUSED",
            Self::Killed => "ENGINE_KILLED",
            Self::Unreadable(_) => "ENGINE_UNREADABLE",
            Self::Open(_) => "ENGINE_NOT_CONFINED",
            Self::NotStarted(_) => "ENGINE_NOT_STARTED",
        }
    }

    /// Whether another attempt may do better: the file is not to blame.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            // A busy machine lets the wall clock run out before the processor time does.
            Self::Killed | Self::Open(_) | Self::NotStarted(_) | Self::Limited(Limit::WallClock) => true,
            Self::Crashed { .. } | Self::Limited(_) | Self::Refused | Self::Unreadable(_) => false,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crashed { how, .. } => write!(f, "the engine broke down over this file ({how}); report it"),
            Self::Limited(Limit::Input) => {
                f.write_str("the file is longer than the engine reads; make it smaller")
            }
            Self::Limited(Limit::Memory) => {
                f.write_str("reading the file takes more memory than is granted; simplify it")
            }
            Self::Limited(Limit::Cpu) => {
                f.write_str("reading the file takes more time than is granted; simplify it")
            }
            Self::Limited(Limit::WallClock) => {
                f.write_str("reading the file took too long; try again or simplify it")
            }
            Self::Limited(Limit::Output) => {
                f.write_str("there is more to say about the file than is kept; split it")
            }
            Self::Refused => {
                f.write_str("the engine tried something forbidden over this file and was stopped; report it")
            }
            Self::Killed => f.write_str("the engine was stopped from outside; try again"),
            Self::Unreadable(why) => write!(f, "the engine's answer cannot be read: {why}"),
            Self::Open(why) => {
                write!(f, "the engine could not shut itself in and did not read the file: {why}")
            }
            Self::NotStarted(why) => write!(f, "the engine could not be started: {why}"),
        }
    }
}

impl std::error::Error for Failure {}
