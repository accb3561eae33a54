//! The `control-plane` binary: `serve` (the default), `sequencer` or `migrate`, each with `--check-config`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mintmark_control_plane::{migrate, run, sequence};

/// What one thread of an export allocates another frees: with the system's allocator twenty parts peaked a third above two.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Tenants, brands, products, batches and exports. Configured by environment variables; see the README.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only check the configuration: exit code 0 when it is complete and sound, 64 when it is not.
    #[arg(long, global = true)]
    check_config: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Answer requests and work on jobs, until SIGTERM.
    Serve,
    /// Make and sign the log of the audit, until SIGTERM.
    Sequencer,
    /// Apply the migrations that are missing (CONTROL_MIGRATION_DATABASE_URL), then exit.
    Migrate,
}

fn main() -> ExitCode {
    let Arguments { command, check_config } = Arguments::parse();
    match command {
        Some(Command::Migrate) => migrate::run(check_config),
        Some(Command::Sequencer) => sequence::run(check_config),
        Some(Command::Serve) | None => run(check_config),
    }
}
