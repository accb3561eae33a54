//! What writers that were killed leave in a local folder.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// No writer takes this long for one object, so nobody is still at it.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// Exports lie three folders deep; a bound keeps a strange folder from becoming a long walk.
const DEEPEST: usize = 8;

/// Removes staged files (`name#1`, as the local store calls them before they are renamed) that are older than a day.
/// Best effort: what cannot be looked at stays.
pub(crate) fn remove_leftovers(folder: &Path) {
    if let Some(before) = SystemTime::now().checked_sub(STALE) {
        sweep(folder, before, DEEPEST);
    }
}

fn sweep(folder: &Path, before: SystemTime, depth: usize) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        // `metadata` of an entry does not follow links, so the walk stays inside the folder.
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_dir() {
            if let Some(depth) = depth.checked_sub(1) {
                sweep(&entry.path(), before, depth);
            }
        } else if is_staged(&entry.file_name().to_string_lossy())
            && meta.modified().is_ok_and(|modified| modified < before)
            && fs::remove_file(entry.path()).is_ok()
        {
            tracing::info!("removed an unfinished object that its writer left behind");
        }
    }
}

fn is_staged(name: &str) -> bool {
    name.split_once('#')
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweep_removes_old_staged_files_only() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("exports/acme");
        fs::create_dir_all(&deep).unwrap();
        for name in ["part.zip#1", "part.zip", "notes#x"] {
            fs::write(deep.join(name), b"x").unwrap();
        }
        let left = || {
            let mut names: Vec<_> =
                fs::read_dir(&deep).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        remove_leftovers(folder.path());
        assert_eq!(left(), ["notes#x", "part.zip", "part.zip#1"], "a young one may still be written");
        sweep(folder.path(), SystemTime::now() + Duration::from_secs(1), DEEPEST);
        assert_eq!(left(), ["notes#x", "part.zip"]);
    }
}
