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
    /// Only check the configuration: exit 0 or 64.
    #[arg(long, global = true)]
    check_config: bool,
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
    let Arguments { role, check_config } = Arguments::parse();
    match role {
        Role::Vault => vault::run(check_config),
        Role::Sequencer => sequencer::run(check_config),
        Role::Migrate => migrate::run(check_config),
    }
}
