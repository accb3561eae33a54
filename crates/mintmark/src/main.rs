//! The program `mintmark`; see the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    mintmark_cli::run_command_line()
}
