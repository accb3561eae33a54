//! `mintmark`: starts the platform on one machine, shows what it does, and helps its operator.
#![doc = include_str!("../README.md")]

mod api;
mod cli;
mod contract;
mod demo;
mod failure;
mod home;
mod preflight;
mod screen;
mod token;
mod up;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    // reqwest takes the process-wide TLS provider and panics without one; a second installation is harmless.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let outcome = match cli.command {
        Command::Up(options) => run(up::up(&cli.home, &options)),
        Command::Demo(options) => run(demo::demo(&cli.home, &options)),
        Command::Contract => run(contract::contract(&cli.home)),
        Command::Preflight(options) => return preflight::command(&options),
        Command::Token(wanted) => run(token::make(&cli.home, &wanted)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(work: impl Future<Output = Result<(), failure::Failure>>) -> Result<(), failure::Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
