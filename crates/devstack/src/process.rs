//! A service as a child process, for the launcher and for journeys.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::DevstackError;
use crate::keeper::{Keeper, Orders};

/// A service drains within 20 seconds by default; after this it is killed.
const GRACE_SECS: u32 = 30;
/// How long one question to a readiness endpoint may take.
pub(crate) const PROBE: Duration = Duration::from_secs(2);

/// A running service. Dropping it stops the service in good order; it also ends when our process is killed.
pub struct Process {
    name: String,
    keeper: Keeper,
}

impl Process {
    /// Starts `binary`. Its environment is `env` and our `PATH`, nothing else; its output is appended to `log` (0600).
    ///
    /// # Errors
    /// The binary or the log file cannot be used.
    pub fn spawn(
        binary: &Path,
        args: &[&str],
        env: &[(String, String)],
        log: &Path,
    ) -> Result<Self, DevstackError> {
        let name = binary.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        if !binary.is_file() {
            return Err(DevstackError::io(format!("start {}", binary.display()))(
                std::io::ErrorKind::NotFound.into(),
            ));
        }
        crate::logs::collect(log, &name, env);
        let orders = Orders { signal: "TERM", grace_secs: GRACE_SECS, remove: None, log };
        let mut command = vec![binary.to_string_lossy().into_owned()];
        command.extend(args.iter().map(|&a| a.to_owned()));
        let keeper = Keeper::start(
            &orders,
            |shell| {
                shell.env_clear().envs(env.iter().map(|(k, v)| (k, v)));
                if let Some(path) = std::env::var_os("PATH") {
                    shell.env("PATH", path);
                }
            },
            &command,
        )?;
        Ok(Self { name, keeper })
    }

    /// Waits until `url` (`http://host:port/path`, usually `/readyz` of the operations port) answers 200.
    ///
    /// # Errors
    /// The process ended first (with the end of its log), or `timeout` passed.
    pub async fn wait_ready(&mut self, url: &str, timeout: Duration) -> Result<(), DevstackError> {
        let deadline = Instant::now() + timeout;
        while !answers_200(url).await? {
            if let Some(status) = self.keeper.ended() {
                return Err(DevstackError::Stopped {
                    name: self.name.clone(),
                    status: status.to_string(),
                    log: self.keeper.log().to_path_buf(),
                    tail: self.keeper.tail(),
                });
            }
            if Instant::now() >= deadline {
                return Err(DevstackError::NotReady {
                    name: self.name.clone(),
                    seconds: timeout.as_secs(),
                    log: self.keeper.log().to_path_buf(),
                });
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Ok(())
    }

    /// The service's own process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.keeper.pid()
    }

    /// How it ended, if it has. The status is a shell's: 128 + n for signal n.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.keeper.ended()
    }

    /// SIGTERM, then waits for the end (at most 30 seconds, then SIGKILL). Blocks.
    pub fn terminate(mut self) -> Option<ExitStatus> {
        self.keeper.stop()
    }

    /// SIGTERM without waiting, so that several services drain at once.
    pub fn begin_stop(&mut self) {
        self.keeper.release();
    }

    /// SIGKILL, then waits for the end. Blocks.
    pub fn kill(mut self) -> Option<ExitStatus> {
        // The number is still its own: the keeper is its parent and has not ended.
        if self.keeper.ended().is_none() {
            let _ = kill(Pid::from_raw(self.keeper.pid()), Signal::SIGKILL);
        }
        self.keeper.wait(Duration::from_secs(5))
    }
}

/// Refuses an address that another program listens on, naming the `variable` that changes it.
///
/// # Errors
/// The address is taken or not ours.
pub fn ensure_free(addr: SocketAddr, variable: &str) -> Result<(), DevstackError> {
    match TcpListener::bind(addr) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => {
            Err(DevstackError::PortInUse { addr, variable: variable.to_owned() })
        }
        Err(e) => Err(DevstackError::io(format!("listen on {addr}"))(e)),
    }
}

/// One GET; anything but a 200 is a no.
pub(crate) async fn answers_200(url: &str) -> Result<bool, DevstackError> {
    let wrong = || DevstackError::Url { url: url.to_owned() };
    let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
    let (authority, path) = rest.split_once('/').ok_or_else(wrong)?;
    let probe = async { says_200(TcpStream::connect(authority).await?, authority, path).await };
    Ok(matches!(tokio::time::timeout(PROBE, probe).await, Ok(Ok(true))))
}

/// The same over a connection that is there.
pub(crate) async fn says_200(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    authority: &str,
    path: &str,
) -> std::io::Result<bool> {
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0_u8; 12];
    stream.read_exact(&mut head).await?;
    Ok(head.starts_with(b"HTTP/1.") && head.ends_with(b" 200"))
}
