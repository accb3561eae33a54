//! `console`: everything else comes from the environment.

use std::process::ExitCode;

use clap::Parser;
use mintmark_service::Options;

/// The web console. It reads its configuration from the environment.
#[derive(Parser)]
#[command(name = "console", version)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    mintmark_console::run(Arguments::parse().options.ask())
}
