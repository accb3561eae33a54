//! `mintmark audit`: checks what a log says without a platform, and resumes one after a restore.

mod outcome;
mod resume;
mod verify;

use std::path::Path;
use std::process::ExitCode;

use crate::cli::AuditCommand;
use crate::failure::run;

pub use verify::{Given, check};

/// The exit status where nothing was decided: a file that cannot be read, keys that are none.
const UNDECIDED: u8 = 2;

/// Runs one of the commands.
pub fn command(home: &Path, wanted: &AuditCommand) -> ExitCode {
    match wanted {
        AuditCommand::Verify(options) => match verify::command(options) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(failure) => {
                let _ = failure.report();
                ExitCode::from(UNDECIDED)
            }
        },
        AuditCommand::Resume(options) => run(resume::resume(home, options.service)),
    }
}
