//! `console`: everything else comes from the environment.

use std::process::ExitCode;

use clap::Parser;

/// The web console. It reads its configuration from the environment.
#[derive(Parser)]
#[command(name = "console", version)]
struct Arguments {
    /// Only check the configuration: exit 0 or 64.
    #[arg(long)]
    check_config: bool,
}

fn main() -> ExitCode {
    mintmark_console::run(Arguments::parse().check_config)
}
