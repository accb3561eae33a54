//! The program `preflight-engine`: a PDF on standard input, an envelope of facts on standard output.
//!
//! Before it touches its input it gives up files, network, processes and more memory than it was granted (`sandbox`), and it
//! prints how far it came. One file, one process: whatever a file does to its reader ends with it.
//!
//! Options, all of the form `--name=value`: `--memory=BYTES`, `--cpu=SECONDS`, `--input=BYTES` and `--output=BYTES` bound it;
//! `--parent=PID` ends it unless that process started it; `--require=full` ends it unless every layer of the confinement
//! stands; `--probe` prints the confinement and reads nothing.

mod options;
mod output;
mod program;
mod sandbox;

use std::process::ExitCode;

fn main() -> ExitCode {
    program::run(std::env::args().skip(1))
}
