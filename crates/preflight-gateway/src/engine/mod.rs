//! Runs `preflight-engine`: a fresh process for each file, which gets the file as sealed memory, no environment and no
//! rights, and whose output is believed only as far as it can be read.
//!
//! Whatever a file does to the process, [`Engine::facts`] answers within the wall-clock limit with facts or with a
//! [`Failure`] that says what happened. Dropping the future kills the process.

mod outcome;
mod process;
mod sealed;

use std::path::{Path, PathBuf};
use std::time::Duration;

use mintmark_preflight_engine::envelope::Confinement;

pub use outcome::{Failure, Limit, Outcome, Reading};
pub use sealed::{Filling, SealError, Sealed};

/// The program's name, where it lies beside the gateway.
pub const PROGRAM: &str = "preflight-engine";

/// What one file may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub input: u64,
    /// Address space of the process, the file included, in bytes.
    pub memory: u64,
    /// Processor time; whole seconds, at least one.
    pub cpu: Duration,
    /// Time from start to end.
    pub wall: Duration,
    /// Bytes of the facts as JSON.
    pub output: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input: 256 << 20,
            memory: 1 << 30,
            cpu: Duration::from_secs(30),
            wall: Duration::from_secs(60),
            output: 64 << 20,
        }
    }
}

/// How the engine is run.
#[derive(Debug, Clone, Default)]
pub struct EngineConfig {
    /// Where the program is; without it, beside the executable of this process.
    pub program: Option<PathBuf>,
    /// What one file may take.
    pub limits: Limits,
    /// Whether a file is refused to an engine that could not shut itself in wholly. Production says yes.
    pub require_full: bool,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The program is not there.
    #[error("the engine {} is not there: build it, or name it in PREFLIGHT_ENGINE", .0.display())]
    Absent(PathBuf),
    /// The place of this process's own executable is not known.
    #[error("the engine cannot be looked for beside this program: {0}. Name it in PREFLIGHT_ENGINE")]
    Nowhere(std::io::Error),
    /// The program runs and does not answer as an engine does.
    #[error("the engine {} does not answer its probe: {reason}", .program.display())]
    Silent {
        /// The program.
        program: PathBuf,
        /// What it did instead.
        reason: Failure,
    },
}

/// The engine's program with its limits.
#[derive(Debug, Clone)]
pub struct Engine {
    program: PathBuf,
    limits: Limits,
    require_full: bool,
}

impl Engine {
    /// Finds the program.
    ///
    /// # Errors
    /// When it is not there.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let program = match config.program {
            Some(program) => program,
            None => beside_this_program().map_err(EngineError::Nowhere)?,
        };
        if !program.is_file() {
            return Err(EngineError::Absent(program));
        }
        Ok(Self { program, limits: config.limits, require_full: config.require_full })
    }

    /// Where the program is.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// What one file may take.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// How far the program can shut itself in on this machine: what health tells, and what production must find full.
    ///
    /// # Errors
    /// When it cannot be run or does not answer.
    pub async fn probe(&self) -> Result<Confinement, EngineError> {
        let run = process::Run { program: &self.program, limits: self.limits, require_full: false };
        run.probe().await.map_err(|reason| EngineError::Silent { program: self.program.clone(), reason })
    }

    /// The facts about one file, within this engine's limits.
    ///
    /// To be awaited on a thread of the runtime (not in `spawn_blocking`): the kernel ends the process together with the
    /// thread that started it.
    pub async fn facts(&self, file: &Sealed) -> Outcome {
        self.facts_within(file, self.limits).await
    }

    /// The facts about one file, within other limits.
    pub async fn facts_within(&self, file: &Sealed, limits: Limits) -> Outcome {
        let run = process::Run { program: &self.program, limits, require_full: self.require_full };
        run.facts(file).await
    }
}

fn beside_this_program() -> std::io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(PROGRAM))
}
