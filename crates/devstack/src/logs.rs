//! What the processes of tests logged, and what must not stand in it, kept for one search when all tests have run.
//!
//! In a test's binary each process that [`crate::Process`] starts writes its log into `target/test-logs/<binary>-<pid>/`: the
//! path that was asked for becomes a link to it, so it stays when the test's own folder is gone. Beside the logs,
//! `secrets.tsv` lists what the processes were configured with and must keep to themselves, and what a test says it was
//! given ([`secret`], [`code`]). Any other program leaves its logs where it was told to.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// The list of secrets beside the logs: kind, name and value in a line.
pub const SECRETS: &str = "secrets.tsv";
/// Shorter values are found by chance.
const SHORTEST: usize = 16;
/// What earlier runs left goes after this; a whole run takes minutes.
const KEPT: Duration = Duration::from_secs(2 * 3600);

/// The folder of this run of this test binary.
static FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let all = root()?;
    let own = std::env::current_exe().ok()?;
    let binary = own.file_name()?.to_string_lossy().into_owned();
    forget_old(&all);
    let folder = all.join(format!("{binary}-{}", std::process::id()));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok()?;
    Some(folder)
});
static LISTED: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);
static FILES: AtomicUsize = AtomicUsize::new(0);

/// Where the logs of all tests are: `test-logs` of the target folder. `None` in a program that is no test: cargo puts the
/// binaries of tests, and nothing that anybody runs, into a folder `deps`.
#[must_use]
pub fn root() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let folder = own.parent()?;
    if folder.file_name()? != "deps" {
        return None;
    }
    Some(folder.parent()?.parent()?.join("test-logs"))
}

/// Says that `value` is a secret: no process may log it.
pub fn secret(name: &str, value: &str) {
    list("secret", name, value);
}

/// Says that `value` is a printable code: no process may log it.
pub fn code(value: &str) {
    list("code", "a code", value);
}

/// Keeps the logs of a folder, and says that each line of the files in `keys` is a secret: for a launcher's folder, whose
/// processes it started itself.
pub fn keep(logs: &Path, keys: &Path) {
    let Some(folder) = FOLDER.as_ref() else { return };
    for entry in fs::read_dir(keys).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        list_file(&name, &entry.path());
    }
    for entry in fs::read_dir(logs).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // A copy that fails is a log that is not searched; the search wants to see those of the main tests.
        let _ = fs::copy(entry.path(), folder.join(numbered(name.trim_end_matches(".log"))));
    }
}

/// Output and errors of a process that somebody starts by other means, as a log that is kept; in any other program nowhere.
pub fn output(name: &str) -> (Stdio, Stdio) {
    let opened = FOLDER.as_ref().and_then(|folder| {
        let path = folder.join(numbered(name));
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path).ok()?;
        Some((Stdio::from(file.try_clone().ok()?), Stdio::from(file)))
    });
    opened.unwrap_or_else(|| (Stdio::null(), Stdio::null()))
}

/// Says what is secret in the environment of a process that somebody starts by other means.
pub fn configured(env: &[(String, String)]) {
    if FOLDER.is_none() {
        return;
    }
    for (name, value) in env {
        if name.ends_with("_FILE") {
            if is_secret(name) {
                list_file(name, Path::new(value));
            }
        } else if is_secret(name) {
            value.split([',', ':', ' ']).for_each(|piece| list("secret", name, piece));
        } else if let Some((_, rest)) = value.split_once("://")
            && let Some((user, _)) = rest.rsplit_once('@')
            && let Some((_, password)) = user.split_once(':')
        {
            list("secret", name, password);
        }
    }
}

/// Before a process starts: its log is to lie with the others, and what it is configured with is listed.
pub(crate) fn collect(log: &Path, name: &str, env: &[(String, String)]) {
    let Some(folder) = FOLDER.as_ref() else { return };
    configured(env);
    // What is there already is either a link of ours or somebody's own file.
    if fs::symlink_metadata(log).is_err() {
        let _ = symlink(folder.join(numbered(name)), log);
    }
}

/// Whether a variable of this name holds a secret, or names a file that does.
fn is_secret(name: &str) -> bool {
    let words = ["TOKEN", "SECRET", "PASSWORD", "PEPPER", "KEY", "PIN"];
    let harmless = ["VERIFIER", "PUBLIC", "KEY_ID", "PINNED"];
    words.iter().any(|word| name.contains(word)) && !harmless.iter().any(|word| name.contains(word))
}

fn list_file(name: &str, path: &Path) {
    let Ok(text) = fs::read_to_string(path) else { return };
    for line in text.lines().filter(|line| !line.starts_with("-----")) {
        list("secret", name, line.trim());
    }
}

fn list(kind: &str, name: &str, value: &str) {
    let Some(folder) = FOLDER.as_ref() else { return };
    if value.len() < SHORTEST || value.contains(['\n', '\t']) {
        return;
    }
    let mut listed = LISTED.lock().unwrap_or_else(PoisonError::into_inner);
    if !listed.insert(value.to_owned()) {
        return;
    }
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(folder.join(SECRETS));
    if let Ok(mut file) = file {
        let _ = file.write_all(format!("{kind}\t{name}\t{value}\n").as_bytes());
    }
}

fn numbered(name: &str) -> String {
    format!("{name}-{}.log", FILES.fetch_add(1, Ordering::Relaxed))
}

/// Removes what processes left that ended long ago.
fn forget_old(all: &Path) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some((_, pid)) = name.rsplit_once('-') else { continue };
        let lives = Path::new("/proc").join(pid).exists();
        let changed = entry.metadata().and_then(|it| it.modified()).ok();
        let age = changed.and_then(|at| SystemTime::now().duration_since(at).ok());
        if !lives && age.is_some_and(|age| age > KEPT) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_secret_knows_names_of_secrets_from_their_neighbours() {
        for name in ["PPOS_CONTROL_TOKEN", "CODE_MASTER_KEYS_KNOWN", "CODE_PEPPERS", "TLS_KEY_FILE", "X_PIN"]
        {
            assert!(is_secret(name), "{name}");
        }
        for name in ["S3_ACCESS_KEY_ID", "AUDIT_VERIFIER_KEYS_FILE", "OPS_ADDR", "RATE_LIMIT_METRIC_KEY_IDS"]
        {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn configured_lists_values_passwords_and_files_once() {
        let key = std::env::temp_dir().join(format!("devstack-logs-{}.pem", std::process::id()));
        fs::write(&key, "-----BEGIN PRIVATE KEY-----\nbGluZS1vZi1hLWtleQ==\n-----END PRIVATE KEY-----\n")
            .unwrap();
        let env = [
            ("CODE_PEPPERS", "1:cGVwcGVyLW51bWJlci1vbmU=,2:cGVwcGVyLW51bWJlci10d28="),
            ("EXAMPLE_DATABASE_URL", "postgres://user:aaaaaaaabbbbbbbb@127.0.0.1/example"),
            ("EXAMPLE_KEY_FILE", key.to_str().unwrap()),
            ("OPS_ADDR", "127.0.0.1:1234567890123456"),
            ("EXAMPLE_TOKEN", "short"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        configured(&env);
        configured(&env);
        fs::remove_file(&key).unwrap();
        let listed = fs::read_to_string(FOLDER.as_ref().unwrap().join(SECRETS)).unwrap();
        let values: Vec<&str> = listed
            .lines()
            .filter(|line| line.contains("EXAMPLE_") || line.contains("cGVwc"))
            .map(|line| line.rsplit('\t').next().unwrap())
            .collect();
        let expected = [
            "cGVwcGVyLW51bWJlci1vbmU=",
            "cGVwcGVyLW51bWJlci10d28=",
            "aaaaaaaabbbbbbbb",
            "bGluZS1vZi1hLWtleQ==",
        ];
        assert_eq!(values, expected);
    }
}
