//! `postmaster.pid`: whose it is, and whether the server behind it is ready.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::DevstackError;

const FILE: &str = "postmaster.pid";
/// A keeper of a killed run may still be stopping its server; after this long it is somebody else's.
const PREDECESSOR: Duration = Duration::from_secs(15);

/// Removes a lock file whose process is gone, or is no Postgres (its number was given to another program since).
/// Postgres itself would refuse to start in the second case.
pub(crate) fn clear_stale(dir: &Path) -> Result<(), DevstackError> {
    let file = dir.join(FILE);
    let deadline = Instant::now() + PREDECESSOR;
    while let Some(pid) = pid_in(&file) {
        if !is_postgres(pid) {
            return match std::fs::remove_file(&file) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    Err(DevstackError::io(format!("remove {}", file.display()))(e))
                }
                _ => Ok(()),
            };
        }
        if Instant::now() >= deadline {
            return Err(DevstackError::InUse { dir: dir.to_path_buf(), pid });
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Whether the server accepts connections: the eighth line of its lock file says so (`miscadmin.h`, `LOCK_FILE_LINE_PM_STATUS`).
pub(crate) fn is_ready(dir: &Path) -> bool {
    std::fs::read_to_string(dir.join(FILE))
        .is_ok_and(|text| text.lines().nth(7).is_some_and(|l| l.trim() == "ready"))
}

fn pid_in(file: &Path) -> Option<i32> {
    std::fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
}

fn is_postgres(pid: i32) -> bool {
    if let Ok(name) = std::fs::read_to_string(format!("/proc/{pid}/comm")) {
        return name.trim() == "postgres";
    }
    // Systems without /proc; on Linux this says the same of a process that has just gone.
    std::process::Command::new("ps")
        .args(["-p", &pid.to_string(), "-o", "comm="])
        .output()
        .is_ok_and(|o| String::from_utf8_lossy(&o.stdout).trim().ends_with("postgres"))
}
