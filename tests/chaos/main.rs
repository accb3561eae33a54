//! Faults that lose nothing: killed, stopped and starved processes, with a printed seed.
//!
//! `make test` injects each fault once; `make chaos` goes on for `CHAOS_SECONDS` with random combinations on larger
//! batches. `CHAOS_SEED` replays the choices of a run; `CHAOS_DISK` (`mount`, `user`, `limit`) fixes how a full disk is made.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod api;
mod clock;
mod dice;
mod disk;
mod fault;
mod full;
mod pack;
mod postgres;
mod process;
mod round;
mod scans;
mod stage;
mod verify;
mod wait;
mod work;

use std::time::Duration;

use dice::Dice;
use fault::Fault;
use round::{Report, play};
use stage::{Scale, Stage};
use work::Work;

/// Small enough for every run of the tests, large enough that a mint lasts while a fault comes.
const SHORT: Scale =
    Scale { units: (100_000, 200_000), chunk_units: 2_000, exported_units: 12_000, part_units: 3_000 };
/// What `make chaos` mints.
const LONG: Scale =
    Scale { units: (200_000, 600_000), chunk_units: 10_000, exported_units: 60_000, part_units: 10_000 };
/// Faults between two verifications in the short form.
const FAULTS_A_ROUND: usize = 7;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_lose_nothing() {
    match std::env::var("CHAOS_SECONDS") {
        Err(_) => every_fault_once().await,
        Ok(seconds) => random_faults(seconds.parse().expect("CHAOS_SECONDS is a number of seconds")).await,
    }
}

async fn every_fault_once() {
    let seed = Dice::seed();
    println!("chaos: seed {seed} (CHAOS_SEED={seed} replays it)");
    let mut dice = Dice::new(seed);
    let mut stage = Stage::start(seed, SHORT).await;
    let mut work = Work::begin(&stage).await;
    let mut report = Report::new();
    let mut faults = Fault::ALL;
    dice.shuffle(&mut faults);
    for faults in faults.chunks(FAULTS_A_ROUND) {
        play(&mut stage, &mut work, &mut dice, &mut report, (faults, 3, false)).await;
    }
    report.print(&stage, &work).await;
}

async fn random_faults(seconds: u64) {
    let seed = Dice::seed();
    println!("chaos: seed {seed} (CHAOS_SEED={seed} replays it), for {seconds} s");
    let mut dice = Dice::new(seed);
    let mut stage = Stage::start(seed, LONG).await;
    let mut work = Work::begin(&stage).await;
    let mut report = Report::new();
    while report.elapsed() < Duration::from_secs(seconds) {
        let many = dice.roll(2..7);
        let faults: Vec<Fault> = (0..many).map(|_| *dice.pick(&Fault::ALL)).collect();
        let batches = dice.roll(2..5);
        play(&mut stage, &mut work, &mut dice, &mut report, (&faults, batches, true)).await;
    }
    report.print(&stage, &work).await;
}
