//! Child processes.

use std::path::Path;
use std::time::Duration;

use mintmark_devstack::{DevstackError, Process, ensure_free, free_port};

use crate::{alive, eventually};

fn shell(script: &str, log: &Path) -> Process {
    Process::spawn(Path::new("/bin/sh"), &["-c", script], &[], log).unwrap()
}

#[test]
fn terminate_asks_first_and_keeps_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let process = shell("trap 'echo drained; exit 3' TERM; echo up; while :; do sleep 0.05; done", &log);
    eventually("the child is up", || std::fs::read_to_string(&log).is_ok_and(|t| t.contains("up")));
    let status = process.terminate().unwrap();
    assert_eq!(status.code(), Some(3));
    assert!(std::fs::read_to_string(&log).unwrap().contains("drained"));
}

#[test]
fn kill_asks_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let process = shell("trap '' TERM; while :; do sleep 0.05; done", &dir.path().join("log"));
    let pid = process.pid();
    assert_eq!(process.kill().unwrap().code(), Some(128 + 9));
    assert!(!alive(pid));
}

#[test]
fn spawn_passes_no_other_environment() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let env = [("ONLY".to_owned(), "this".to_owned())];
    let mut process = Process::spawn(Path::new("/usr/bin/env"), &[], &env, &log).unwrap();
    eventually("env has ended", || process.ended().is_some());
    let printed = std::fs::read_to_string(&log).unwrap();
    assert!(printed.contains("ONLY=this"));
    assert!(!printed.contains("CARGO") && !printed.contains("HOME="));
}

/// Processors are shared out between sessions first: what is measured must not share one with what measures.
#[test]
fn spawn_gives_each_process_a_session_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let process = shell("while :; do sleep 0.05; done", &dir.path().join("log"));
    let session = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid())).unwrap();
        // After the name: state, parent, group, session.
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap().parse::<i32>().unwrap()
    };
    eventually("it leads a session", || session() == process.pid());
}

#[tokio::test]
async fn wait_ready_of_a_process_that_ends_shows_its_last_words() {
    let dir = tempfile::tempdir().unwrap();
    let mut process = shell("echo no configuration; exit 64", &dir.path().join("log"));
    let url = format!("http://127.0.0.1:{}/readyz", free_port());
    let error = process.wait_ready(&url, Duration::from_secs(10)).await.unwrap_err();
    assert!(matches!(error, DevstackError::Stopped { .. }));
    assert!(error.to_string().contains("no configuration"));
}

#[test]
fn ensure_free_names_the_variable() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let error = ensure_free(taken.local_addr().unwrap(), "SCAN_HTTP_ADDR").unwrap_err();
    assert!(error.to_string().contains("SCAN_HTTP_ADDR"));
}
