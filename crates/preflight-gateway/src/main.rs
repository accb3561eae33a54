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
    #[command(flatten)]
    options: mintmark_service::Options,
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
    let Arguments { role, options } = Arguments::parse();
    match role {
        Role::Gateway => gateway::run(options.ask()),
        Role::Worker => worker::run(options.ask()),
        Role::Migrate => migrate::run(options.ask()),
    }
}
