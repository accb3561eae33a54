//! The `control-plane` binary: `serve` (the default), `sequencer` or `migrate`, each with `--check-config`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mintmark_control_plane::{migrate, run, sequence};

/// What one thread of an export allocates another frees: with the system's allocator twenty parts peaked a third above two.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Tenants, brands, products, batches and exports. Configured by environment variables: docs/configuration.md.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    options: mintmark_service::Options,
}

#[derive(Subcommand)]
enum Role {
    /// Answer requests and work on jobs, until SIGTERM.
    Serve,
    /// Make and sign the log of the audit, until SIGTERM.
    Sequencer,
    /// Apply the migrations that are missing (CONTROL_MIGRATION_DATABASE_URL), then exit.
    Migrate,
}

fn main() -> ExitCode {
    let Arguments { role, options } = Arguments::parse();
    match role {
        Some(Role::Migrate) => migrate::run(options.ask()),
        Some(Role::Sequencer) => sequence::run(options.ask()),
        Some(Role::Serve) | None => run(options.ask()),
    }
}
