//! `mintmark audit`: checks what a log says without a platform, and resumes one after a restore.

mod export;
mod outcome;
mod resume;
mod verify;

use std::path::Path;
use std::process::ExitCode;

use crate::cli::AuditCommand;
use crate::desk;
use crate::failure::run;
use crate::reach::Reach;
use crate::trust;

pub use export::{ExportOptions, show_export, watch_export};
pub use verify::{Given, check};

/// The exit status where nothing was decided: a file that cannot be read, keys that are none.
const UNDECIDED: u8 = 2;

/// Runs one of the commands.
pub fn command(home: &Path, reach: &Reach, wanted: &AuditCommand) -> ExitCode {
    match wanted {
        AuditCommand::Export(options) => {
            desk::run(home, reach, async |desk| export::export(desk, options).await)
        }
        AuditCommand::Exports(paging) => {
            desk::run(home, reach, async |desk| export::list(desk, paging).await)
        }
        AuditCommand::Verify(options) => match verify::command(options, reach.json) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(failure) => {
                let _ = failure.report_for(reach.json);
                ExitCode::from(UNDECIDED)
            }
        },
        AuditCommand::VerifierKey(options) => run(trust::verifier_key(options)),
        AuditCommand::Resume(options) => run(resume::resume(home, options.service)),
    }
}
