//! A captive in the engine's own sandbox tries to get out. This program starts itself: `sandbox --captive ATTEMPT FOLDER` shuts
//! itself in as `preflight-engine` does and makes one attempt; without arguments it starts a captive for each.
//!
//! Every attempt is made outside of the sandbox too, where it must succeed: an attempt that fails everywhere proves nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod attempts;
#[path = "../../src/sandbox/mod.rs"]
mod sandbox;

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

use attempts::{Attempt, ESCAPES, Outcome, PERMITTED};

/// How a captive says what came of its attempt.
const SUCCEEDED: i32 = 10;
const DENIED: i32 = 11;

/// Outside, with all layers, and behind landlock alone.
const MODES: [&str; 3] = ["--free", "--captive", "--captive-of-landlock"];

const SIGABRT: i32 = 6;
const SIGXCPU: i32 = 24;
const SIGSYS: i32 = 31;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, name, folder] = arguments.as_slice()
        && MODES.contains(&mode.as_str())
    {
        captive(mode, name, folder);
    }
    let mut parts = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
    let all = parts.peek().is_none();
    let parts: Vec<&String> = parts.collect();
    let wanted = |name: &str| all || parts.iter().any(|part| name.contains(part.as_str()));
    let mut count = 0;
    let mut run = |name: &str, test: &dyn Fn()| {
        if wanted(name) {
            test();
            println!("test {name} ... ok");
            count += 1;
        }
    };
    run("captive_reaches_every_layer", &captive_reaches_every_layer);
    for attempt in ESCAPES {
        run(&format!("{}_by_a_captive_is_killed", attempt.name), &|| escape(attempt));
    }
    for attempt in PERMITTED {
        run(&format!("{}_by_a_captive_succeeds", attempt.name), &|| permitted(attempt));
    }
    run("files_without_the_call_filter_are_denied", &files_without_the_call_filter_are_denied);
    run("panic_of_a_captive_is_a_code", &panic_of_a_captive_is_a_code);
    run("memory_of_a_captive_ends_by_abort", &memory_of_a_captive_ends_by_abort);
    run("recursion_of_a_captive_ends_by_abort", &recursion_of_a_captive_ends_by_abort);
    run("spinning_of_a_captive_ends_by_its_limit", &spinning_of_a_captive_ends_by_its_limit);
    println!("test result: ok. {count} passed");
}

/// The child's side.
fn captive(mode: &str, name: &str, folder: &str) -> ! {
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    let attempt = attempts::named(name);
    // Before the doors close: what an attempt needs to exist.
    // Nothing of it is closed by a captive, whose panics would otherwise end in a forbidden call.
    let prepared: &'static _ = Box::leak(Box::new(attempts::Prepared::new(folder)));
    match mode {
        "--captive" => {
            let limits = sandbox::Limits { memory: 256 << 20, cpu: 1, output: 1 << 20 };
            let confinement = sandbox::enter(&limits, None);
            if !confinement.full {
                eprintln!("the confinement is {confinement}");
                std::process::exit(1);
            }
        }
        "--captive-of-landlock" => {
            let layer = sandbox::filesystem::deny();
            assert!(layer.on, "{}", layer.detail);
        }
        _ => {}
    }
    let code = match (attempt.run)(prepared) {
        Outcome::Succeeded => SUCCEEDED,
        Outcome::Denied(reason) => {
            eprintln!("{reason}");
            DENIED
        }
    };
    std::process::exit(code)
}

fn start(mode: &str, name: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([mode, name])
        .arg(folder.path())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(b"bytes");
    child.wait_with_output().unwrap()
}

fn escape(attempt: &Attempt) {
    let outside = start("--free", attempt.name);
    assert_eq!(outside.status.code(), Some(SUCCEEDED), "{} is possible outside: {outside:?}", attempt.name);
    let inside = start("--captive", attempt.name);
    assert_eq!(inside.status.signal(), Some(SIGSYS), "{} kills a captive: {inside:?}", attempt.name);
}

fn permitted(attempt: &Attempt) {
    let inside = start("--captive", attempt.name);
    assert_eq!(inside.status.code(), Some(SUCCEEDED), "{} is allowed: {inside:?}", attempt.name);
}

fn captive_reaches_every_layer() {
    let inside = start("--captive", "nothing");
    assert_eq!(inside.status.code(), Some(SUCCEEDED), "{inside:?}");
}

fn files_without_the_call_filter_are_denied() {
    for name in ["open_file", "write_file", "list_folder"] {
        let inside = start("--captive-of-landlock", name);
        assert_eq!(inside.status.code(), Some(DENIED), "{name} is denied by landlock alone: {inside:?}");
    }
}

fn panic_of_a_captive_is_a_code() {
    let ended = start("--captive", "panic");
    assert_eq!(ended.status.code(), Some(101), "{ended:?}");
    assert!(String::from_utf8_lossy(&ended.stderr).contains("on purpose"), "{ended:?}");
}

fn memory_of_a_captive_ends_by_abort() {
    let ended = start("--captive", "memory");
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{ended:?}");
    assert!(String::from_utf8_lossy(&ended.stderr).contains("memory allocation of"), "{ended:?}");
}

fn recursion_of_a_captive_ends_by_abort() {
    let ended = start("--captive", "recursion");
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{ended:?}");
    assert!(String::from_utf8_lossy(&ended.stderr).contains("overflowed its stack"), "{ended:?}");
}

fn spinning_of_a_captive_ends_by_its_limit() {
    let ended = start("--captive", "spin");
    assert_eq!(ended.status.signal(), Some(SIGXCPU), "{ended:?}");
}
