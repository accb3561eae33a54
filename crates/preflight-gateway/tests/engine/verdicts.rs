//! The real engine over real files.

use std::time::{Duration, Instant};

use mintmark_preflight_gateway::engine::{Failure, Limit, Limits, Outcome, Sealed};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{engine, failure, hostile, limits, pdf, processes, reading, within};

fn ordinary() -> Sealed {
    Sealed::of_bytes(&pdf::Doc::x4().build()).unwrap()
}

#[tokio::test]
async fn probe_says_that_every_layer_stands() {
    let confinement = engine().probe().await.unwrap();
    assert!(confinement.full, "{confinement}");
}

#[tokio::test]
async fn facts_of_an_ordinary_file_are_read_and_kept() {
    let (engine, file) = (engine(), ordinary());
    // The same memory serves twice: a job may be tried again.
    let (first, second) = (reading(engine.facts(&file).await), reading(engine.facts(&file).await));
    assert_eq!(first.json, second.json, "the same bytes give the same facts");
    assert_eq!(first.facts.pages.len(), 1);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&first.json).unwrap()["schema"], first.facts.schema);
    assert!(first.confinement.full && !first.cpu.is_zero() && first.wall >= first.cpu / 4);
}

#[tokio::test]
async fn limits_end_the_engine_with_their_names() {
    let (engine, file) = (engine(), ordinary());
    let length = file.length();
    for (limits, expected) in [
        (Limits { input: length - 1, ..limits() }, Limit::Input),
        (Limits { output: 0, ..limits() }, Limit::Output),
        (Limits { memory: 32 << 20, ..limits() }, Limit::Memory),
    ] {
        let file = match expected {
            // The envelope's own room suffices for the facts about a small file; those about a large one do not fit.
            Limit::Output => Sealed::of_bytes(&many_pages()).unwrap(),
            // Longer than the memory that it is read into.
            Limit::Memory => Sealed::of_bytes(&vec![b' '; 48 << 20]).unwrap(),
            _ => ordinary(),
        };
        let failure = failure(engine.facts_within(&file, limits).await);
        assert_eq!(failure, Failure::Limited(expected));
        assert!(!failure.may_pass());
    }
}

fn many_pages() -> Vec<u8> {
    let mut doc = pdf::Doc::x4();
    let page = doc.page().clone();
    doc.pages = vec![page; 2_000];
    doc.build()
}

#[tokio::test]
async fn hostile_files_have_facts_in_time() {
    let engine = engine();
    for file in hostile::all() {
        let sealed = Sealed::of_bytes(&file.bytes).unwrap();
        let begun = Instant::now();
        let reading = reading(engine.facts(&sealed).await);
        let took = begun.elapsed();
        assert!(took < limits().wall, "{}: {took:?}", file.name);
        assert!(reading.confinement.full, "{}", file.name);
    }
}

/// Killed at moments between its start and its end: the answer is that, or the facts if it was quicker.
#[tokio::test]
async fn engine_killed_at_any_moment_is_named_so() {
    let engine = engine();
    let slow = Sealed::of_bytes(&hostile::loops().remove(1).bytes).unwrap();
    let mut killed = 0;
    for round in 0..30_u64 {
        // Its limit of memory tells this process from all others.
        let limits = Limits { memory: (512 << 20) + 4096 * (round + 1), ..limits() };
        let mark = format!("--memory={}", limits.memory);
        let stab = async {
            assert!(within(Duration::from_secs(5), || !processes(&mark).is_empty()).await);
            tokio::time::sleep(Duration::from_micros(round * round * 60)).await;
            for number in processes(&mark) {
                let _ = kill(Pid::from_raw(number), Signal::SIGKILL);
            }
        };
        let (outcome, ()) = tokio::join!(engine.facts_within(&slow, limits), stab);
        match outcome {
            Outcome::Failed(failure) => {
                assert_eq!(failure, Failure::Killed);
                assert!(failure.may_pass(), "the file is not to blame");
                killed += 1;
            }
            Outcome::Facts(reading) => assert_eq!(reading.facts.pages.len(), 1),
        }
    }
    assert!(killed > 15, "{killed} of 30 were killed before they ended");
    reading(engine.facts(&ordinary()).await);
}
