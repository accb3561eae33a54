//! Places at which a test ends the process, as a power cut would.

use std::sync::OnceLock;

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

static ARMED: OnceLock<String> = OnceLock::new();

/// Has the process die after the step of this name: `AUDIT_FAIL_AT`, which is for tests.
pub(crate) fn arm(step: &str) -> Result<(), String> {
    if !STEPS.contains(&step) {
        return Err(format!("names no step; there are {}", STEPS.join(", ")));
    }
    // Once armed it stays: the process dies anyway.
    let _first = ARMED.get_or_init(|| step.to_owned());
    Ok(())
}

/// Ends the process here if a test asked for that.
pub(crate) fn hit(step: &'static str) {
    if ARMED.get().is_some_and(|armed| armed == step) {
        std::process::abort();
    }
}
