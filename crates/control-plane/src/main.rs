//! The `control-plane` binary: `serve` (the default), `sequencer` or `migrate`, each with `--check-config`.

mod arguments;

use std::process::ExitCode;

use clap::Parser as _;
use mintmark_control_plane::{migrate, run, sequence};

use arguments::{Arguments, Command};

/// What one thread of an export allocates another frees: with the system's allocator twenty parts peaked a third above two.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ask = arguments.ask();
    match arguments.command {
        Some(Command::Migrate) => migrate::run(ask),
        Some(Command::Sequencer) => sequence::run(ask),
        Some(Command::Serve) | None => run(ask),
    }
}
