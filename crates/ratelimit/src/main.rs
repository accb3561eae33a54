//! `ratelimit`: everything else comes from the environment.

use std::process::ExitCode;

use clap::Parser;
use mintmark_service::Options;

/// A decision makes a few dozen small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The rate limiter. It reads its configuration from the environment.
#[derive(Parser)]
#[command(name = "ratelimit", version)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    mintmark_ratelimit::run(Arguments::parse().options.ask())
}
