//! `evidence-vault vault | sequencer | migrate`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mintmark_evidence_vault::{migrate, sequencer, vault};

/// Encrypted evidence. Each command reads its configuration from the environment.
#[derive(Parser)]
#[command(name = "evidence-vault", version)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
    #[command(flatten)]
    options: mintmark_service::Options,
}

#[derive(Subcommand)]
enum Role {
    /// Answer requests, erase what is due.
    Vault,
    /// Put audit entries into the log and sign it.
    Sequencer,
    /// Bring the database up to date.
    Migrate,
}

fn main() -> ExitCode {
    let Arguments { role, options } = Arguments::parse();
    match role {
        Role::Vault => vault::run(options.ask()),
        Role::Sequencer => sequencer::run(options.ask()),
        Role::Migrate => migrate::run(options.ask()),
    }
}
