//! The sequencer role: the audit log alone, under a login that sees no record and no key.

use std::process::ExitCode;

use mintmark_service::{Ask, Launch, launch};

use crate::config;

/// Runs `evidence-vault sequencer` until it is told to end.
pub fn run(ask: Ask) -> ExitCode {
    let role = Launch { name: "evidence-sequencer", default_ops_addr: "127.0.0.1:9188", ask };
    launch(role, config::sequencer, mintmark_audit::sequencer::run)
}
