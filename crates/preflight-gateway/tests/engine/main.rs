//! Processes of the engine, seen from the gateway: whatever becomes of one, there is a clear answer in time.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../../preflight-engine/tests/support/hostile.rs"]
mod hostile;
#[path = "../../../preflight-engine/tests/support/pdf.rs"]
mod pdf;
mod sealing;
mod stand_ins;
mod verdicts;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mintmark_preflight_gateway::engine::{Engine, EngineConfig, Failure, Limits, Outcome, PROGRAM, Reading};

/// Limits of a test: shorter than the gateway's, so that a hang shows.
fn limits() -> Limits {
    Limits {
        memory: 512 << 20,
        wall: Duration::from_secs(20),
        cpu: Duration::from_secs(20),
        ..Limits::default()
    }
}

/// The engine that was built beside this test.
fn engine() -> Engine {
    let own = std::env::current_exe().unwrap();
    let program = own.parent().and_then(Path::parent).unwrap().join(PROGRAM);
    engine_at(program, limits())
}

fn engine_at(program: PathBuf, limits: Limits) -> Engine {
    Engine::new(EngineConfig { program: Some(program), limits, require_full: true }).unwrap()
}

fn reading(outcome: Outcome) -> Reading {
    match outcome {
        Outcome::Facts(reading) => *reading,
        Outcome::Failed(failure) => panic!("{failure}: {failure:?}"),
    }
}

fn failure(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Failed(failure) => failure,
        Outcome::Facts(reading) => panic!("facts, and no failure: {}", reading.json),
    }
}

/// Numbers of the processes whose command line has that text.
fn processes(text: &str) -> Vec<i32> {
    let listed = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = listed.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let named = |number: &i32| {
        std::fs::read(format!("/proc/{number}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(text))
    };
    numbers.filter(named).collect()
}

async fn within(time: Duration, condition: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < time {
        if condition() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    false
}
