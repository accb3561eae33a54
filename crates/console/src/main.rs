//! `console`: everything else comes from the environment.

use std::process::ExitCode;

use clap::Parser;
use mintmark_service::Ask;

/// The web console. It reads its configuration from the environment.
#[derive(Parser)]
#[command(name = "console", version)]
struct Arguments {
    /// Only check the configuration: exit 0 or 64.
    #[arg(long)]
    check_config: bool,
    /// Only print which variables are read, as JSON; docs/configuration.md is made of it.
    #[arg(long)]
    describe_config: bool,
}

fn main() -> ExitCode {
    let Arguments { check_config, describe_config } = Arguments::parse();
    mintmark_console::run(Ask::from_options(check_config, describe_config))
}
