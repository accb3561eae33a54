//! Support for the journeys: the platform as a person starts it, on free ports and in a folder of its own.

pub mod recording;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// The first start makes a database cluster; slow machines take their time.
const STARTED_WITHIN: Duration = Duration::from_secs(180);
/// Services drain within 20 seconds, then Postgres stops.
const STOPPED_WITHIN: Duration = Duration::from_secs(60);

/// A program of the workspace, built before the tests run.
///
/// # Panics
/// When it was not built: `make test` builds the programs first.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let folder = own.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing: run `cargo build --workspace --bins` first", path.display());
    path
}

/// A folder for one platform, removed when it is dropped.
pub struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    /// An empty folder that the database's user can reach.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> std::io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("mintmark-").tempdir()?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        Ok(Self { folder })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The variables of `dev.env`, read as a shell reads them.
    ///
    /// # Errors
    /// When no shell can be run.
    pub fn dev_env(&self) -> std::io::Result<BTreeMap<String, String>> {
        let script = ". ./dev.env && env";
        let output = Command::new("sh").args(["-c", script]).env_clear().current_dir(self.path()).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let pairs: Vec<(String, String)> = pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        mintmark_devstack::logs::configured(&pairs);
        Ok(pairs.into_iter().collect())
    }

    /// Runs a command of `mintmark` in this folder to its end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> std::io::Result<Output> {
        Command::new(program("mintmark"))
            .arg("--home")
            .arg(self.path())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
    }
}

impl Drop for Home {
    /// What was logged here is searched with all other logs (`tests/logs`).
    fn drop(&mut self) {
        mintmark_devstack::logs::keep(&self.path().join("logs"), &self.path().join("keys"));
    }
}

/// A platform started by `mintmark up`. Dropping it kills the launcher.
pub struct Platform {
    launcher: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Platform {
    /// Starts it and returns when it says that it is up.
    ///
    /// # Errors
    /// With everything that it printed, when it did not come up.
    pub fn start(home: &Home, options: &[&str]) -> Result<Self, String> {
        Self::start_with(home, options, &[])
    }

    /// The same with variables for the launcher.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(home: &Home, options: &[&str], variables: &[(&str, &str)]) -> Result<Self, String> {
        let mut launcher = Command::new(program("mintmark"))
            .arg("--home")
            .arg(home.path())
            .args(["up", "--free-ports"])
            .args(options)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| error.to_string())?;
        let output = launcher.stdout.take().ok_or("no output")?;
        let errors = launcher.stderr.take().ok_or("no errors")?;
        let (sender, lines) = channel();
        let failures = sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                // For whoever reads why a test failed; and who asks for what was printed need not be there any more.
                eprintln!("{line}");
                let _gone = failures.send(line);
            }
        });
        let mut platform = Self { launcher, lines, seen: Vec::new() };
        platform.wait_for("Ctrl-C stops everything", STARTED_WITHIN)?;
        Ok(platform)
    }

    /// What it printed so far, errors included.
    #[must_use]
    pub fn printed(&self) -> String {
        self.seen.join("\n")
    }

    /// Asks it to stop, as Ctrl-C does, and gives its exit status.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn stop(mut self) -> Result<ExitStatus, String> {
        let pid = self.launcher.id().to_string();
        let asked = Command::new("kill").args(["-INT", &pid]).status().map_err(|error| error.to_string())?;
        if !asked.success() {
            return Err(format!("kill -INT {pid} failed"));
        }
        self.ended()
    }

    /// Waits until it has ended, and gives its exit status.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn ended(&mut self) -> Result<ExitStatus, String> {
        let deadline = Instant::now() + STOPPED_WITHIN;
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.seen.push(line);
        }
        match self.launcher.try_wait().map_err(|error| error.to_string())? {
            Some(status) => Ok(status),
            None if Instant::now() < deadline => self.launcher.wait().map_err(|error| error.to_string()),
            None => Err("the launcher did not stop in time".to_owned()),
        }
    }

    fn wait_for(&mut self, words: &str, within: Duration) -> Result<(), String> {
        let deadline = Instant::now() + within;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let found = line.contains(words);
                    self.seen.push(line);
                    if found {
                        return Ok(());
                    }
                }
                Err(_) => return Err(format!("'{words}' was not printed; what was:\n{}", self.printed())),
            }
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let _ = self.launcher.kill();
        let _ = self.launcher.wait();
    }
}

/// The processes whose command line names `folder`: none may be left when a platform has stopped.
///
/// # Errors
/// When the process table cannot be read.
pub fn processes_that_name(folder: &Path) -> std::io::Result<Vec<String>> {
    let needle = folder.display().to_string();
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == own || !name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let Ok(command) = fs::read(entry.path().join("cmdline")) else { continue };
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(&needle) {
            found.push(command);
        }
    }
    Ok(found)
}
