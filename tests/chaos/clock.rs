//! Clocks of single processes that can be set while they run (libfaketime). Monotonic clocks go on as they are: what
//! jumps when an administrator or a bad time server sets a clock is the time of day.

use std::path::{Path, PathBuf};

/// The clock of one process.
pub struct Clock {
    file: PathBuf,
}

impl Clock {
    /// A right clock whose setting lives in `file`.
    pub fn right(file: PathBuf) -> Self {
        let clock = Self { file };
        clock.set(0);
        clock
    }

    /// Puts it so many seconds ahead (negative: behind) of the true time; noticed within a second.
    pub fn set(&self, seconds_ahead: i64) {
        // Renamed into place: the process never reads half a number.
        let staged = self.file.with_extension("new");
        std::fs::write(&staged, format!("{seconds_ahead:+}\n")).unwrap();
        std::fs::rename(&staged, &self.file).unwrap();
    }

    /// The variables of a process that lives by it.
    pub fn variables(&self) -> Vec<(String, String)> {
        [
            ("LD_PRELOAD", library().to_string_lossy().into_owned()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.to_string_lossy().into_owned()),
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("FAKETIME_DONT_RESET", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

/// Removes what a process that was killed could not: the shared memory of libfaketime.
pub fn forget(pid: i32) {
    for name in [format!("faketime_shm_{pid}"), format!("sem.faketime_sem_{pid}")] {
        // Other versions make none.
        let _ = std::fs::remove_file(Path::new("/dev/shm").join(name));
    }
}

fn library() -> PathBuf {
    const NAME: &str = "faketime/libfaketimeMT.so.1";
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    folders
        .extend(["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(|folder| Path::new(folder).to_path_buf()));
    let found = folders.iter().map(|folder| folder.join(NAME)).find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!("libfaketime is missing: run `make setup-test`, or install the package faketime")
    })
}
