//! `ratelimit`: everything else comes from the environment.

use std::process::ExitCode;

use clap::Parser;

/// A decision makes a few dozen small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The rate limiter. It reads its configuration from the environment.
#[derive(Parser)]
#[command(name = "ratelimit", version)]
struct Arguments {
    /// Only check the configuration: exit 0 or 64.
    #[arg(long)]
    check_config: bool,
}

fn main() -> ExitCode {
    mintmark_ratelimit::run(Arguments::parse().check_config)
}
