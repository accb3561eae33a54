//! `mintmark`: starts the platform on one machine, shows what it does, and helps its operator.
#![doc = include_str!("../README.md")]

mod api;
mod audit;
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
use failure::run;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // reqwest takes the process-wide TLS provider and panics without one; a second installation is harmless.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match cli.command {
        Command::Up(options) => run(up::up(&cli.home, &options)),
        Command::Demo(options) => run(demo::demo(&cli.home, &options)),
        Command::Contract => run(contract::contract(&cli.home)),
        Command::Preflight(options) => preflight::command(&options),
        Command::Audit(wanted) => audit::command(&cli.home, &wanted),
        Command::Token(wanted) => run(token::make(&cli.home, &wanted)),
    }
}
