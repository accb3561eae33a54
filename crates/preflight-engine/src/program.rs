//! What the program does: options, the sandbox, the input, the output.

use std::process::ExitCode;

use mintmark_preflight_engine::envelope::{Confinement, ENVELOPE_VERSION, Envelope, exit};
use mintmark_preflight_engine::{Budgets, ENGINE_VERSION, read};
use nix::errno::Errno;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::options::Options;
use crate::{output, sandbox};

/// Runs it with these arguments.
pub fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    // The ordinary hook may look for a backtrace, in files that are out of reach: it says the place and nothing more.
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(reason) => return end(exit::USAGE, &reason),
    };
    let confinement = sandbox::enter(&options.limits, options.parent);
    if options.require_full && !confinement.full {
        return end(exit::OPEN, &format!("the confinement is {confinement}, and full is required"));
    }
    if options.probe {
        return print(confinement, (), options.limits.output);
    }
    match input(options.input) {
        Ok(bytes) => print(confinement, read(bytes, &Budgets::default()), options.limits.output),
        Err(reason) => end(exit::INPUT, &reason),
    }
}

fn print<F: serde::Serialize>(sandbox: Confinement, facts: F, limit: u64) -> ExitCode {
    let cpu_us = getrusage(UsageWho::RUSAGE_SELF)
        .map(|usage| (usage.user_time() + usage.system_time()).num_microseconds().unsigned_abs())
        .unwrap_or_default();
    let envelope =
        Envelope { envelope: ENVELOPE_VERSION, engine: ENGINE_VERSION.to_owned(), sandbox, facts, cpu_us };
    match output::write(&envelope, limit) {
        // Without freeing what the facts took: the kernel does it at once.
        Ok(()) => std::process::exit(0),
        Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            end(exit::OUTPUT, &error.to_string())
        }
        Err(error) => end(exit::BROKEN, &format!("the output cannot be written: {error}")),
    }
}

/// All of standard input, by bare `read` calls: the filter allows no other.
fn input(limit: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut filled = 0;
    loop {
        if filled == bytes.len() {
            bytes.resize((filled * 2).max(1 << 20), 0);
        }
        match nix::unistd::read(std::io::stdin(), &mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::EINTR) => {}
            Err(error) => return Err(format!("the input cannot be read: {error}")),
        }
        if filled as u64 > limit {
            return Err(format!("the input is longer than {limit} bytes, which is all that may be read"));
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn end(code: u8, reason: &str) -> ExitCode {
    eprintln!("preflight-engine: {reason}");
    ExitCode::from(code)
}
