//! Real servers, really stopped.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

mod postgres;
mod process;
mod redis;
mod s3;
mod testdb;

use std::time::{Duration, Instant};

/// Waits for a condition, at most ten seconds.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::yield_now();
    }
}

/// Whether a process with this number exists.
fn alive(pid: i32) -> bool {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok()
}
