//! `control-plane sequencer`: makes the log of this service's audit, with a login and a key of its own.

use std::process::ExitCode;

use mintmark_audit::{SequencerConfig, sequencer};
use mintmark_service::config::Reader;
use mintmark_service::{Ask, Launch, launch};

/// The name of the log, and of its keys, where `AUDIT_ORIGIN` gives none.
pub const ORIGIN: &str = "mintmark.invalid/control-plane";

/// Sequences until SIGTERM.
pub fn run(ask: Ask) -> ExitCode {
    let name = "control-plane-sequencer";
    launch(Launch { name, default_ops_addr: "127.0.0.1:9189", ask }, read, sequencer::run)
}

pub(crate) fn read(reader: &mut Reader) -> Option<SequencerConfig> {
    SequencerConfig::read(reader, "CONTROL_SEQUENCER_DATABASE_URL", ORIGIN)
}
