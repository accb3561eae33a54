//! Places at which a test can have the process die, as `kill -9` would: nothing is unwound, nothing is flushed.
//!
//! `EVIDENCE_FAIL_AT` names one; it is read only where `APP_ENV=test`. A test walks [`ALL`].

use std::sync::OnceLock;

/// Every place, in the order of a record's life.
pub const ALL: &[&str] = &[
    "upload.after_row",
    "upload.in_stream",
    "upload.after_blob",
    "upload.after_wrap",
    "upload.after_commit",
    "hold.after_kek",
    "hold.after_provider",
    "hold.after_commit",
    "release.after_commit",
    "release.after_provider",
    "shred.after_begin",
    "shred.after_tombstone",
    "shred.after_sign",
    "shred.after_proof",
    "shred.after_keys",
    "shred.in_blobs",
    "shred.after_blobs",
    "shred.after_shredded",
    "shred.after_delete",
    "shred.after_recovery",
    "rewrap.after_wrap",
    "rewrap.after_step",
    "destroy.before_provider",
    "destroy.after_provider",
    "destroy.after_commit",
    "reconcile.after_tombstones",
    "reconcile.after_holds",
    "sweep.after_blob",
];

static ARMED: OnceLock<String> = OnceLock::new();

/// Has the process die at the place of this name.
///
/// # Errors
/// A sentence when there is no such place.
pub fn arm(name: &str) -> Result<(), String> {
    if !ALL.contains(&name) {
        return Err(format!("names no fail point; there are {}", ALL.join(", ")));
    }
    // Once armed it stays: the process dies anyway.
    let _first = ARMED.get_or_init(|| name.to_owned());
    Ok(())
}

/// Dies here if the test wants it.
pub fn hit(name: &'static str) {
    debug_assert!(ALL.contains(&name), "{name} is not in the list of fail points");
    if ARMED.get().is_some_and(|armed| armed == name) {
        std::process::abort();
    }
}
