//! `evidence-vault vault | sequencer | migrate`.

mod arguments;

use std::process::ExitCode;

use clap::Parser as _;
use mintmark_evidence_vault::{migrate, sequencer, vault};

use arguments::{Arguments, Role};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ask = arguments.ask();
    match arguments.role {
        Role::Vault => vault::run(ask),
        Role::Sequencer => sequencer::run(ask),
        Role::Migrate => migrate::run(ask),
    }
}
