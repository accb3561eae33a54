//! `preflight-gateway gateway | worker | migrate`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mintmark_preflight_gateway::{gateway, migrate, worker};

/// Preflight of print files. Each command reads its configuration from the environment.
#[derive(Parser)]
#[command(name = "preflight-gateway", version)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
    /// Only check the configuration: exit 0 or 64.
    #[arg(long, global = true)]
    check_config: bool,
}

#[derive(Subcommand)]
enum Role {
    /// Answer requests.
    Gateway,
    /// Work on jobs.
    Worker,
    /// Bring the database up to date.
    Migrate,
}

fn main() -> ExitCode {
    let Arguments { role, check_config } = Arguments::parse();
    match role {
        Role::Gateway => gateway::run(check_config),
        Role::Worker => worker::run(check_config),
        Role::Migrate => migrate::run(check_config),
    }
}
