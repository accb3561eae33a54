//! Programs that stand in for an engine and misbehave.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use mintmark_preflight_gateway::engine::{EngineError, Failure, Limit, Limits, Sealed};
use tempfile::TempDir;

use super::{engine_at, failure, limits, processes, within};

/// Each a shell script by its name. The number of seconds that some sleep tells them apart among the processes.
const SCRIPTS: &[(&str, &str)] = &[
    ("segfault", "kill -SEGV $$"),
    ("abort", "echo something else >&2; kill -ABRT $$"),
    ("panic", "echo panicked at a line >&2; exit 101"),
    ("code", "exit 3"),
    ("forbidden", "kill -SYS $$"),
    ("processor", "kill -XCPU $$"),
    ("killed", "kill -KILL $$"),
    ("memory", "echo 'memory allocation of 99 bytes failed' >&2; kill -ABRT $$"),
    ("hang", "exec /bin/sleep 600.0011"),
    ("dropped", "exec /bin/sleep 600.0022"),
    ("children", "/bin/sleep 600.0033"),
    ("flood", "exec /usr/bin/yes"),
    ("noise", "/usr/bin/head -c 1000000 /dev/zero >&2; exit 9"),
    ("nothing", "exit 0"),
    ("garbage", "echo '<html>'"),
    ("half", "printf '{\"envelope\":1,\"engine\":\"0.1.0\",'"),
    ("future", "echo '{\"envelope\":99}'"),
    ("open", "echo 'the confinement is partial' >&2; exit 70"),
];

/// They are all written before the first process is started: a script that some fork still holds open cannot be run.
fn script(name: &str) -> PathBuf {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        for (name, body) in SCRIPTS {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        folder
    });
    folder.path().join(name)
}

async fn run(name: &str, limits: Limits) -> Failure {
    let file = Sealed::of_bytes(b"%PDF-1.7").unwrap();
    failure(engine_at(script(name), limits).facts(&file).await)
}

#[tokio::test]
async fn ends_of_all_kinds_have_their_names() {
    let crashed = |how: &str, said: &str| Failure::Crashed { how: how.to_owned(), said: said.to_owned() };
    for (name, expected) in [
        ("segfault", crashed("signal 11", "")),
        ("abort", crashed("signal 6", "something else\n")),
        ("panic", crashed("a panic", "panicked at a line\n")),
        ("code", crashed("exit code 3", "")),
        ("forbidden", Failure::Refused),
        ("processor", Failure::Limited(Limit::Cpu)),
        ("killed", Failure::Killed),
        ("memory", Failure::Limited(Limit::Memory)),
        ("open", Failure::Open("the confinement is partial".to_owned())),
    ] {
        assert_eq!(run(name, limits()).await, expected, "{name}");
    }
}

#[tokio::test]
async fn output_that_is_no_envelope_is_unreadable() {
    for name in ["nothing", "garbage", "half", "future"] {
        let failure = run(name, limits()).await;
        assert!(matches!(failure, Failure::Unreadable(_)), "{name}: {failure:?}");
        assert!(!failure.to_string().contains("html"), "what it wrote is not repeated: {failure}");
    }
}

#[tokio::test]
async fn hang_ends_by_the_wall_clock() {
    for (name, sleep) in [("hang", "600.0011"), ("children", "600.0033")] {
        let begun = Instant::now();
        let failure = run(name, Limits { wall: Duration::from_millis(300), ..limits() }).await;
        assert_eq!(failure, Failure::Limited(Limit::WallClock), "{name}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{name}: {:?}", begun.elapsed());
        assert!(
            within(Duration::from_secs(5), || processes(sleep).is_empty()).await,
            "{name}: all of its group ended"
        );
    }
}

#[tokio::test]
async fn flood_ends_by_its_limit() {
    let failure = run("flood", Limits { output: 100_000, ..limits() }).await;
    assert_eq!(failure, Failure::Limited(Limit::Output));
}

#[tokio::test]
async fn noise_on_standard_error_is_cut() {
    let Failure::Crashed { how, said } = run("noise", limits()).await else {
        panic!("a code of 9 is a crash")
    };
    assert_eq!((how.as_str(), said.len()), ("exit code 9", 2 << 10));
}

#[tokio::test]
async fn future_that_is_dropped_ends_its_process() {
    let engine = engine_at(script("dropped"), limits());
    let file = Sealed::of_bytes(b"%PDF-1.7").unwrap();
    {
        let run = engine.facts(&file);
        tokio::select! {
            outcome = run => panic!("it sleeps: {outcome:?}"),
            started = within(Duration::from_secs(5), || !processes("600.0022").is_empty()) => assert!(started),
        }
    }
    assert!(within(Duration::from_secs(5), || processes("600.0022").is_empty()).await);
}

#[tokio::test]
async fn engine_that_is_absent_is_an_error_that_names_it() {
    let config =
        super::EngineConfig { program: Some("/nowhere/preflight-engine".into()), ..Default::default() };
    let error = super::Engine::new(config).unwrap_err();
    assert!(error.to_string().contains("/nowhere/preflight-engine"), "{error}");
    let engine = engine_at(script("garbage"), limits());
    let silent = engine.probe().await.unwrap_err();
    assert!(matches!(silent, EngineError::Silent { .. }), "{silent}");
    let unfit = engine_at(Path::new("/etc/hostname").to_owned(), limits());
    let file = Sealed::of_bytes(b"").unwrap();
    let failure = failure(unfit.facts(&file).await);
    assert!(matches!(failure, Failure::NotStarted(_)) && failure.may_pass(), "{failure:?}");
}
