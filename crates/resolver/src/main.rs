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
    #[command(flatten)]
    options: mintmark_service::Options,
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
    let Arguments { role, options } = Arguments::parse();
    match role {
        Role::Scan => scan::run(options.ask()),
        Role::Directory => directory::run(options.ask()),
        Role::Migrate => migrate::run(options.ask()),
    }
}
