//! The fuzz targets in short: the committed corpus, and some thousand mutations of it by a printed seed.
//!
//! `FUZZ_SEED=N` repeats a run. What libFuzzer finds with `make fuzz` becomes a file of the corpus, and is tried here ever
//! after.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod mutate;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mutate::Mutator;

/// A target ends after this time even if it has not tried everything: the services share a machine with other tests.
const LONGEST: Duration = Duration::from_secs(12);

#[test]
fn codes_hold_for_any_bytes() {
    exercise("codes", targets::codes::run, 40_000);
}

#[test]
fn tokens_hold_for_any_bytes() {
    exercise("tokens", targets::tokens::run, 8_000);
}

#[test]
fn bundles_hold_for_any_bytes() {
    exercise("bundles", targets::bundles::run, 8_000);
}

#[test]
fn documents_hold_for_any_bytes() {
    exercise("documents", targets::documents::run, 1_500);
}

#[test]
fn streams_hold_for_any_bytes() {
    exercise("streams", targets::streams::run, 1_500);
}

#[test]
fn policies_hold_for_any_bytes() {
    exercise("policies", targets::policies::run, 8_000);
}

#[test]
fn scan_answers_any_bytes() {
    exercise("scan", targets::scan::run, 2_000);
}

#[test]
fn control_answers_any_bytes() {
    exercise("control", targets::control::run, 2_000);
}

#[test]
fn gateway_answers_any_bytes() {
    exercise("gateway", targets::gateway::run, 2_000);
}

#[test]
fn console_answers_any_bytes() {
    exercise("console", targets::console::run, 1_500);
}

#[test]
fn grpc_answers_any_bytes() {
    exercise("grpc", targets::grpc::run, 1_500);
}

fn exercise(name: &str, target: fn(&[u8]), mutations: u32) {
    let corpus = corpus(name);
    for (file, input) in &corpus {
        tried(&format!("the file {file}"), input, target);
    }
    let seed = seed();
    println!("{name}: FUZZ_SEED={seed}");
    let mut mutator = Mutator::new(seed, corpus.into_iter().map(|(_, input)| input).collect());
    let begun = Instant::now();
    for at in 0..mutations {
        if begun.elapsed() > LONGEST {
            println!("{name}: {at} of {mutations} mutations within {LONGEST:?}");
            return;
        }
        tried(&format!("mutation {at} of FUZZ_SEED={seed}"), &mutator.fresh(), target);
    }
}

/// A property that does not hold says with which bytes.
fn tried(about: &str, input: &[u8], target: fn(&[u8])) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        eprintln!("{about}: {}", input.escape_ascii());
        resume_unwind(panic);
    }
}

fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzzing/corpus").join(name);
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.sort();
    files
}

fn seed() -> u64 {
    match std::env::var("FUZZ_SEED") {
        Ok(seed) => seed.parse().unwrap_or_else(|_| panic!("FUZZ_SEED={seed} is no number")),
        Err(_) => u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos()),
    }
}
