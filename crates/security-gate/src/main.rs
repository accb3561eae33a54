//! `security-gate`: see the crate's README.

use std::process::ExitCode;

use clap::Parser as _;
use security_gate::cli::Args;

fn main() -> ExitCode {
    Args::parse().run()
}
