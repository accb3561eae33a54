//! No tests: what processes of their own run. Each returns at once where no test started it.

use std::process::Command;

use mintmark_audit::sequencer;
use mintmark_service::Context;
use mintmark_service::config::Reader;

use crate::world;

/// Set by whoever starts one of these.
const STARTED: &str = "AUDIT_TEST_PROCESS";

/// A sequencer as a process of its own.
pub fn sequencer_command() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "process::sequencer_of_another_test"]).env(STARTED, "sequencer");
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn sequencer_of_another_test() {
    if std::env::var_os(STARTED).is_none() {
        return;
    }
    let config = world::read(Reader::process());
    sequencer::run(config, Context::for_tests("audit-sequencer")).await.unwrap();
}
