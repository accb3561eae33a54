//! The keeper: a shell that outlives us just long enough to stop what we started.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use std::io::{BufRead, BufReader};

use crate::DevstackError;

/// Arguments: signal, seconds until SIGKILL, folder to remove at the end (or empty), log file, command…
///
/// `read` is a builtin, so nothing else holds the pipe; the server gets neither it nor our terminal. It gets a session of its
/// own, as every daemon has: Linux shares processors out between sessions first, so that in ours one busy server would be in the
/// way of all others. `setsid` makes no process of its own here.
const SCRIPT: &str = r#"
signal=$1 grace=$2 remove=$3 log=$4; shift 4
trap '' HUP
exec 3<&0 </dev/null
own=$(command -v setsid)
${own:+"$own"} "$@" >>"$log" 2>&1 3<&- &
server=$!
echo "$server"
exec >/dev/null 2>&1
(
  while read -r _ <&3; do :; done
  kill -s "$signal" "$server" || exit 0
  i=0
  while [ "$i" -lt "$grace" ]; do kill -0 "$server" || exit 0; sleep 1; i=$((i + 1)); done
  kill -s KILL "$server"
) &
watcher=$!
exec 3<&-
wait "$server"; status=$?
kill -s KILL "$watcher"
[ -n "$remove" ] && rm -rf "$remove"
exit "$status"
"#;

/// What the keeper shall do when our end of its pipe closes.
pub(crate) struct Orders<'a> {
    /// `TERM`, `INT` or `QUIT`.
    pub(crate) signal: &'static str,
    /// Whole seconds between that and SIGKILL.
    pub(crate) grace_secs: u32,
    /// A folder to remove once the server is gone.
    pub(crate) remove: Option<&'a Path>,
    /// Where the server's output goes; appended, mode 0600.
    pub(crate) log: &'a Path,
}

/// A running keeper with its server. Dropping it stops the server and waits.
pub(crate) struct Keeper {
    shell: Child,
    pipe: Option<ChildStdin>,
    pid: i32,
    grace: Duration,
    log: PathBuf,
}

impl Keeper {
    /// Starts `command` (program and arguments; environment and folder are those set on `base`, a command for `sh`).
    pub(crate) fn start(
        orders: &Orders<'_>,
        base: impl FnOnce(&mut Command),
        command: &[String],
    ) -> Result<Self, DevstackError> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(orders.log)
            .map_err(DevstackError::io(format!("open the log file {}", orders.log.display())))?;
        let mut shell = Command::new("sh");
        base(&mut shell);
        let mut shell = shell
            .args(["-c", SCRIPT, "mintmark-keeper", orders.signal])
            .arg(orders.grace_secs.to_string())
            .arg(orders.remove.unwrap_or(Path::new("")))
            .arg(orders.log)
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A group of its own: Ctrl-C is for us, and we stop things in order.
            .process_group(0)
            .spawn()
            .map_err(DevstackError::io("start `sh`"))?;
        let pipe = shell.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = shell.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(DevstackError::io("read from `sh`"))?;
        }
        let pid = line
            .trim()
            .parse()
            .map_err(|_| DevstackError::io("start `sh`")(std::io::Error::other("it named no process")))?;
        Ok(Self {
            shell,
            pipe,
            pid,
            grace: Duration::from_secs(u64::from(orders.grace_secs)),
            log: orders.log.to_path_buf(),
        })
    }

    /// The server's own process id.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// The server's log file.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// How the server ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.shell.try_wait().ok().flatten()
    }

    /// Whether the server's process is there, for those who hold the keeper only shared.
    pub(crate) fn is_running(&self) -> bool {
        // Signal 0 asks without sending; the keeper is the server's parent, so the number is still its own.
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid), None).is_ok()
    }

    /// Closes the pipe: the server is asked to stop.
    pub(crate) fn release(&mut self) {
        self.pipe = None;
    }

    /// Waits until the server has ended, at most `bound`.
    pub(crate) fn wait(&mut self, bound: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + bound;
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks the server to stop and waits; the keeper's own SIGKILL bounds it.
    pub(crate) fn stop(&mut self) -> Option<ExitStatus> {
        self.release();
        self.wait(self.grace + Duration::from_secs(5))
    }

    /// The last lines of the log, on one line, for an error sentence.
    pub(crate) fn tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}
