//! `resolver scan | directory | migrate`.

mod arguments;

use std::process::ExitCode;

use clap::Parser as _;
use mintmark_resolver::{directory, migrate, scan};

use arguments::{Arguments, Role};

/// A scan makes a few dozen small allocations, and the system's allocator was a tenth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ask = arguments.ask();
    match arguments.role {
        Role::Scan => scan::run(ask),
        Role::Directory => directory::run(ask),
        Role::Migrate => migrate::run(ask),
    }
}
