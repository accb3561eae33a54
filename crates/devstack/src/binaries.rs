//! Finding an installed Postgres.

use std::path::{Path, PathBuf};

use crate::DevstackError;

/// The oldest major version that our migrations are written for.
const OLDEST: u32 = 15;

/// The programs of one installed Postgres.
#[derive(Clone, Debug)]
pub(crate) struct Binaries {
    pub(crate) major: u32,
    folder: PathBuf,
}

impl Binaries {
    /// The newest Postgres that is installed, or the one of major version `wanted` where data of that version exists.
    pub(crate) fn find(wanted: Option<u32>) -> Result<Self, DevstackError> {
        let mut found = installed();
        found.sort_by_key(|b| b.major);
        if let Some(wanted) = wanted
            && let Some(exact) = found.iter().find(|b| b.major == wanted)
        {
            return Ok(exact.clone());
        }
        found.pop().ok_or(DevstackError::PostgresMissing)
    }

    pub(crate) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }

    pub(crate) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    /// Another program of the same installation; where only links to some of them stand, it is beside what they lead to.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        let here = self.folder.join(name);
        if here.exists() {
            return here;
        }
        let behind = self.postgres().canonicalize().unwrap_or_default();
        behind.parent().map_or(here, |folder| folder.join(name))
    }
}

/// Debian's layout first, then Red Hat's and Homebrew's, then whatever stands in `PATH`.
fn installed() -> Vec<Binaries> {
    let mut folders = Vec::new();
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql@"),
        ("/usr/local/opt", "postgresql@"),
    ] {
        let Ok(entries) = std::fs::read_dir(parent) else {
            continue;
        };
        folders.extend(
            entries
                .flatten()
                .filter(|e| e.file_name().to_string_lossy().starts_with(prefix))
                .map(|e| e.path().join("bin")),
        );
    }
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path));
    }
    folders.iter().filter_map(|f| probe(f)).collect()
}

/// A folder counts when both programs are there and `postgres --version` names a version that is new enough.
fn probe(folder: &Path) -> Option<Binaries> {
    let postgres = folder.join("postgres");
    if !postgres.is_file() || !folder.join("initdb").is_file() {
        return None;
    }
    let output = std::process::Command::new(postgres).arg("--version").output().ok()?;
    let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
    (major >= OLDEST).then(|| Binaries { major, folder: folder.to_path_buf() })
}

/// `postgres (PostgreSQL) 15.9 (Debian …)` → 15.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse_major;

    #[test]
    fn version_is_read_from_the_program() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.9 (Debian 15.9-0)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("something else"), None);
    }
}
