//! The process shuts itself in: after [`enter`] it can read its standard input, write its standard output and error, ask for
//! memory up to its limit, and nothing else. Each layer holds by itself; the last one kills at the first forbidden call.

pub mod filesystem;
mod limits;
mod syscalls;

use mintmark_preflight_engine::envelope::{Confinement, Layer};
use nix::sys::{prctl, signal::Signal};

pub use limits::Limits;

/// Gives up everything that reading one file does not need.
pub fn enter(limits: &Limits, parent: Option<i32>) -> Confinement {
    Confinement::of(vec![
        environment(),
        descriptors(),
        parent_death(parent),
        Layer::of(
            "no_new_privs",
            prctl::set_no_new_privs().map(|()| "kept by all that it might start".to_owned()),
        ),
        Layer::of(
            "not_dumpable",
            prctl::set_dumpable(false).map(|()| "no core, no tracer of its user".to_owned()),
        ),
        filesystem::deny(),
        limits.apply(),
        syscalls::filter(),
    ])
}

/// Variables are how secrets and loader tricks arrive.
fn environment() -> Layer {
    let outcome = match std::env::vars_os().count() {
        0 => Ok("empty".to_owned()),
        count => Err(format!("{count} variable(s) are set; start it with none")),
    };
    Layer::of("environment", outcome)
}

/// Whatever a careless parent left open is closed: only input, output and error stay.
fn descriptors() -> Layer {
    let Ok(listed) = std::fs::read_dir("/proc/self/fd") else {
        return Layer::of("descriptors", Err("/proc is not mounted: what is open is not known"));
    };
    let open: Vec<i32> =
        listed.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // The list itself was one of them, and is closed by now: closing it again fails, and may.
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
        let _ = nix::unistd::close(descriptor);
    }
    Layer::of("descriptors", Ok::<_, &str>("input, output and error".to_owned()))
}

/// The kernel kills this process when the one that started it dies; if that happened already, the process ends here.
fn parent_death(parent: Option<i32>) -> Layer {
    let outcome = prctl::set_pdeathsig(Signal::SIGKILL);
    if parent.is_some_and(|parent| nix::unistd::getppid().as_raw() != parent) {
        std::process::exit(i32::from(mintmark_preflight_engine::envelope::exit::BROKEN));
    }
    Layer::of("parent_death", outcome.map(|()| "killed with the thread that started it".to_owned()))
}
