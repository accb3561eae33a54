//! `mintmark audit`: checks what a log says without a platform, and resumes one after a restore.

mod export;
mod outcome;
mod resume;
mod verifier_key;
mod verify;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use crate::desk;
use crate::failure::run;
use crate::reach::{Paging, Reach};

pub use export::{show_export, watch_export};
pub use verify::{Given, check};

use export::ExportOptions;
use resume::ResumeOptions;
use verifier_key::VerifierKeyOptions;
use verify::VerifyOptions;

/// What is done with audit logs.
#[derive(Subcommand)]
pub enum AuditCommand {
    /// Check exported logs, proofs of inclusion and consistency, checkpoints, and proofs of erasure, offline. Exits 0 if all hold, 1 if one does not, 2 where that could not be decided.
    Verify(VerifyOptions),
    /// Print the public half of a key that signs a log's checkpoints, for `AUDIT_VERIFIER_KEYS_FILE`.
    VerifierKey(VerifierKeyOptions),
    /// Have the tenant's audit log written to a file, and fetch it (exports:read).
    Export(ExportOptions),
    /// List the exports of the tenant's audit log, newest first (exports:read).
    Exports(Paging),
    /// Open a new log after a restore: its first entry names the checkpoint that was kept outside the database.
    Resume(ResumeOptions),
}

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
        AuditCommand::VerifierKey(options) => run(verifier_key::print(options)),
        AuditCommand::Resume(options) => run(resume::resume(home, options.service)),
    }
}
