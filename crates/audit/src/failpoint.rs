//! Places at which a test ends the process, as a power cut would.

use std::sync::LazyLock;

/// Each step of sequencing after which a process may die; a test walks them all.
pub const STEPS: [&str; 10] = [
    "log.opened",
    "batch.claimed",
    "batch.leaves",
    "batch.nodes",
    "batch.head",
    "batch.committed",
    "checkpoint.signed",
    "checkpoint.kept",
    "checkpoint.recorded",
    "lease.taken",
];

/// The step that was asked for; none outside of tests, whatever the variable says.
static WANTED: LazyLock<Option<String>> = LazyLock::new(|| {
    let test = std::env::var("APP_ENV").is_ok_and(|env| env == "test");
    std::env::var("AUDIT_FAIL_AT").ok().filter(|_| test)
});

/// Ends the process here if a test asked for that.
pub(crate) fn hit(step: &'static str) {
    if WANTED.as_deref() == Some(step) {
        std::process::abort();
    }
}
