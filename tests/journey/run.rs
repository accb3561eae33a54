//! `make run`: from an empty folder to a scanned code, stopped, and started again with its data.

use std::time::{Duration, Instant};

use mintmark_tests::{Home, Platform, processes_that_name};

use crate::contract;

#[test]
fn platform_runs_its_journey_and_finds_its_data_again() {
    let home = Home::new().unwrap();
    // The services speak mutual TLS to each other this time.
    let platform = Platform::start_with(&home, &["--units", "500"], &[("MINTMARK_TLS", "1")]).unwrap();
    for step in [
        "scan one code as a person",
        "scan it again",
        "scan another as a crawler",
        "scan an unknown code",
        "a free key, again and again        429 after",
        "revoke it, use it again",
        "preflight validate.pdf             pass by digital-print",
        "preflight flyer-bad.pdf            fail by digital-print",
        "what the operator sees             2 jobs taken over",
    ] {
        assert!(platform.printed().contains(step), "'{step}' is missing from:\n{}", platform.printed());
    }

    let first = home.dev_env().unwrap();
    assert_eq!(first["MINTMARK_HOME"], home.path().canonicalize().unwrap().to_str().unwrap());
    let programs = mintmark_tests::program("mintmark");
    assert!(first["PATH"].starts_with(programs.parent().unwrap().to_str().unwrap()), "{}", first["PATH"]);

    let again = home.run(&["demo", "--units", "300"]).unwrap();
    assert!(again.status.success(), "{}{}", text(&again.stdout), text(&again.stderr));
    let second = home.dev_env().unwrap();
    assert_ne!(
        first["MINTMARK_BATCH"], second["MINTMARK_BATCH"],
        "the demonstration mints a batch of its own"
    );

    let twice = home.run(&["up", "--free-ports", "--no-demo"]).unwrap();
    assert!(
        !twice.status.success() && text(&twice.stderr).contains("already runs"),
        "{}",
        text(&twice.stderr)
    );

    assert!(platform.stop().unwrap().success());
    assert_nothing_is_left(&home).unwrap();

    let platform = Platform::start(&home, &["--no-demo"]).unwrap();
    let restarted = home.dev_env().unwrap();
    for kept in ["MINTMARK_TENANT", "MINTMARK_BRAND", "MINTMARK_PRODUCT", "MINTMARK_BATCH", "MINTMARK_CODE"] {
        assert_eq!(second[kept], restarted[kept], "{kept} survives a restart");
    }
    assert!(!platform.printed().contains("scan it again"), "--no-demo mints nothing");
    contract::assert_holds(&home);
    drop(platform);
    assert_nothing_is_left(&home).unwrap();
}

#[test]
fn demo_without_a_platform_says_how_to_start_one() {
    let home = Home::new().unwrap();
    let output = home.run(&["demo"]).unwrap();
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("make run"), "{}", text(&output.stderr));
}

/// Services end a moment after the launcher that was killed: wait for it, with a bound.
fn assert_nothing_is_left(home: &Home) -> std::io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let left = processes_that_name(home.path())?;
        if left.is_empty() {
            return Ok(());
        }
        assert!(Instant::now() < deadline, "still running: {left:#?}");
        std::thread::yield_now();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
