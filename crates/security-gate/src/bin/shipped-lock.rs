//! `cargo tree --edges normal,build --prefix none --format '{p}' | shipped-lock Cargo.lock`: prints the lock file of what ships.

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use security_gate::{cli, shipped};

/// Reads the output of cargo tree and prints the part of the lock file that it names.
#[derive(Parser)]
#[command(name = "shipped-lock", version)]
struct Args {
    /// The whole lock file.
    lock: PathBuf,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::report(error.as_ref());
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let lock =
        std::fs::read_to_string(&args.lock).map_err(|error| format!("{}: {error}", args.lock.display()))?;
    let mut tree = String::new();
    io::stdin().read_to_string(&mut tree)?;
    io::stdout().write_all(shipped::reduce(&lock, &tree)?.as_bytes())?;
    Ok(())
}
