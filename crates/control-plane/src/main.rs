//! The `control-plane` binary: `serve` (the default) or `migrate`, either with `--check-config`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mintmark_control_plane::{Config, migrate, serve};
use mintmark_service::{Launch, launch};

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
    /// Apply the migrations that are missing (CONTROL_MIGRATION_DATABASE_URL), then exit.
    Migrate,
}

fn main() -> ExitCode {
    let Arguments { command, check_config } = Arguments::parse();
    match command {
        Some(Command::Migrate) => migrate::run(check_config),
        Some(Command::Serve) | None => {
            let about = Launch { name: "control-plane", default_ops_addr: "127.0.0.1:9180", check_config };
            launch(about, Config::read, serve)
        }
    }
}
