//! `resolver scan | directory | migrate`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mintmark_resolver::{directory, migrate, scan};

/// A scan makes a few dozen small allocations, and the system's allocator was a tenth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The public resolver. Each command reads its configuration from the environment.
#[derive(Parser)]
#[command(name = "resolver", version)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
    /// Only check the configuration: exit 0 or 64.
    #[arg(long, global = true)]
    check_config: bool,
}

#[derive(Subcommand)]
enum Role {
    /// Answer scans.
    Scan,
    /// Take publications from the control plane.
    Directory,
    /// Bring the database up to date.
    Migrate,
}

fn main() -> ExitCode {
    let Arguments { role, check_config } = Arguments::parse();
    match role {
        Role::Scan => scan::run(check_config),
        Role::Directory => directory::run(check_config),
        Role::Migrate => migrate::run(check_config),
    }
}
