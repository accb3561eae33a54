//! Every log of a whole test run, searched for every secret and every code that the tests made, and for their shapes.
//!
//! The processes that tests start leave their logs, and the tests what must not be in them, in `target/test-logs`
//! (`mintmark_devstack::logs`). `make test` empties that folder first and runs this once more at its end, with
//! `LOGS_OF_WHOLE_RUN=1`: then the logs of the tests that start whole services must be there. Before that end it searches
//! what there is.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod search;
mod shapes;

use search::Run;

/// Test binaries without whose logs nothing was searched.
const MAIN: [&str; 5] = ["canary", "chaos", "deployment", "journey", "planes"];

#[test]
fn no_log_of_the_run_holds_a_secret_or_a_code() {
    let run = Run::read(&mintmark_devstack::logs::root().unwrap());
    let findings: Vec<String> = run.findings().into_iter().collect();
    assert!(
        findings.is_empty(),
        "these logs in target/test-logs hold what no log may (mended, remove them and run their tests again):\n{}",
        findings.join("\n")
    );
    if std::env::var_os("LOGS_OF_WHOLE_RUN").is_some() {
        let absent: Vec<&&str> = MAIN
            .iter()
            .filter(|of| !run.folders.iter().any(|it| it.starts_with(&format!("{of}-"))))
            .collect();
        assert!(absent.is_empty(), "{absent:?} left no logs");
        let (logs, secrets, codes) = (run.logs.len(), run.secrets.len(), run.codes);
        assert!(
            logs >= 50 && secrets >= 200 && codes >= 1_000,
            "{logs} logs, {secrets} secrets, {codes} codes"
        );
        println!("searched {logs} logs for {secrets} secrets, {codes} codes among them");
    }
}
