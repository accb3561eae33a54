//! Which command does what.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::cli::{Cli, Command};
use crate::failure::{Failure, run};
use crate::preflight::PreflightArguments;
use crate::{
    audit, batch, brand, code, completion, context, contract, demo, desk, dispute, evidence, export, job,
    key, login, preflight, product, scan, service, tenant, token, trust, up, user,
};

/// Runs what the command line asks for and gives the exit status.
pub fn run_command_line() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unread(&error),
    };
    // reqwest takes the process-wide TLS provider and panics without one; a second installation is harmless.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (home, reach) = (&cli.home, &cli.reach);
    match cli.command {
        Command::Up(options) => run(up::up(&cli.home, &options)),
        Command::Demo(options) => run(demo::demo(&cli.home, &options)),
        Command::Contract => run(contract::contract(&cli.home)),
        Command::Preflight(PreflightArguments { command: None, file }) => preflight::judge(&file, reach.json),
        Command::Preflight(PreflightArguments { command: Some(wanted), file }) => {
            desk::run(home, reach, async |desk| preflight::run(desk, wanted, &file).await)
        }
        Command::Audit(wanted) => audit::command(home, reach, &wanted),
        Command::Token(wanted) => run(token::make(&cli.home, &wanted)),
        Command::Context(wanted) => desk::run(home, reach, async |desk| context::run(desk, wanted)),
        Command::Login(options) => desk::run(home, reach, async |desk| login::login(desk, options).await),
        Command::Session => desk::run(home, reach, async |desk| login::session(desk)),
        Command::Logout => desk::run(home, reach, async |desk| login::logout(desk)),
        Command::Tenant(wanted) => desk::run(home, reach, async |desk| tenant::run(desk, wanted).await),
        Command::Brand(wanted) => desk::run(home, reach, async |desk| brand::run(desk, wanted).await),
        Command::Product(wanted) => desk::run(home, reach, async |desk| product::run(desk, wanted).await),
        Command::Batch(wanted) => desk::run(home, reach, async |desk| batch::run(desk, wanted).await),
        Command::Code(wanted) => desk::run(home, reach, async |desk| code::run(desk, wanted).await),
        Command::Export(wanted) => desk::run(home, reach, async |desk| export::run(desk, wanted).await),
        Command::Key(wanted) => desk::run(home, reach, async |desk| key::run(desk, wanted).await),
        Command::User(wanted) => desk::run(home, reach, async |desk| user::run(desk, wanted).await),
        Command::Dispute(wanted) => desk::run(home, reach, async |desk| dispute::run(desk, wanted).await),
        Command::Evidence(wanted) => desk::run(home, reach, async |desk| evidence::run(desk, wanted).await),
        Command::Job(wanted) => desk::run(home, reach, async |desk| job::run(desk, wanted).await),
        Command::Scan(wanted) => desk::run(home, reach, async |desk| scan::run(desk, wanted).await),
        Command::Completion(options) => completion::print(&options, &mut Cli::command()),
        Command::Service(wanted) => run(service::command(&cli.home, &wanted)),
        Command::TrustBundle(options) => run(trust::bundle(&options)),
    }
}

/// A command line that says nothing to do: help, or what is wrong with it; a program is told so as one.
fn unread(error: &clap::Error) -> ExitCode {
    let program = error.use_stderr() && std::env::args_os().any(|word| word == "--json");
    if !program {
        error.exit();
    }
    let words = error.to_string();
    let sentence = words.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    Failure::usage(sentence).report_for(true)
}
