//! `preflight-gateway gateway | worker | migrate`.

mod arguments;

use std::process::ExitCode;

use clap::Parser as _;
use mintmark_preflight_gateway::{gateway, migrate, worker};

use arguments::{Arguments, Role};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ask = arguments.ask();
    match arguments.role {
        Role::Gateway => gateway::run(ask),
        Role::Worker => worker::run(ask),
        Role::Migrate => migrate::run(ask),
    }
}
