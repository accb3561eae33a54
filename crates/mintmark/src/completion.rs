//! `mintmark completion`: what makes a shell complete the commands.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use crate::failure::{Failure, describe_io};

/// For which shell.
#[derive(Args)]
pub struct CompletionOptions {
    shell: Supported,
}

/// The shells that are tried by a test or known to work.
#[derive(Clone, Copy, ValueEnum)]
enum Supported {
    /// `source <(mintmark completion bash)`, in ~/.bashrc for good.
    Bash,
    /// `mintmark completion zsh > "${fpath[1]}/_mintmark"`.
    Zsh,
    /// `mintmark completion fish > ~/.config/fish/completions/mintmark.fish`.
    Fish,
}

/// Prints it, for the commands of `line`.
pub fn print(options: &CompletionOptions, line: &mut clap::Command) -> ExitCode {
    let shell = match options.shell {
        Supported::Bash => Shell::Bash,
        Supported::Zsh => Shell::Zsh,
        Supported::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, line, "mintmark", &mut script);
    match std::io::stdout().lock().write_all(&script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => Failure::local(format!("could not write: {}", describe_io(&error))).report_for(false),
    }
}
