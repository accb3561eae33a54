//! Private Redis servers: one for the launcher; single ones, a failover group and a cluster for tests.
//!
//! Nothing is kept on disk: what a limiter counts is worth one window.

mod cluster;
mod group;
mod resp;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::keeper::{Keeper, Orders};
use crate::{DevstackError, folder, free_port, private_folder, tools};

pub use cluster::RedisCluster;
pub use group::RedisGroup;

/// It is ready within a tenth of a second; a busy machine may need longer.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Somebody may take the free port before Redis does.
const ATTEMPTS: u32 = 3;

/// Where a server listens.
#[derive(Clone, Debug)]
enum Listen {
    /// On a socket in its own folder of mode 0700, and nowhere else.
    Socket,
    /// On a port of 127.0.0.1, so that several can know each other.
    Port(u16),
}

/// A running server with a folder of its own. Stops when dropped, and also when our process is killed; its folder goes
/// with it.
pub struct RedisServer {
    keeper: Keeper,
    folder: PathBuf,
    listen: Listen,
    /// Further words for its command line, used again by a restart.
    settings: Vec<String>,
}

impl RedisServer {
    /// A server that only who may enter its folder can reach.
    ///
    /// # Errors
    /// Redis is not installed, or it does not start.
    pub async fn start_on_socket() -> Result<Self, DevstackError> {
        let mut server = Self::launch(Listen::Socket, Vec::new())?;
        server.wait_ready().await?;
        Ok(server)
    }

    /// A server on a free port of 127.0.0.1, with further settings like `["--maxmemory", "2mb"]`.
    ///
    /// # Errors
    /// Redis is not installed, or it does not start.
    pub async fn start(settings: &[&str]) -> Result<Self, DevstackError> {
        let settings: Vec<String> = settings.iter().map(|&word| word.to_owned()).collect();
        let mut attempt = 1;
        loop {
            let mut server = Self::launch(Listen::Port(free_port()), settings.clone())?;
            match server.wait_ready().await {
                Ok(()) => return Ok(server),
                Err(DevstackError::Stopped { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn launch(listen: Listen, settings: Vec<String>) -> Result<Self, DevstackError> {
        let program = tools::find("redis-server").ok_or(DevstackError::RedisMissing)?;
        let folder = private_folder("mintmark-redis")?;
        folder::check_socket_length(&folder)?;
        let log = folder.join("redis.log");
        let orders = Orders { signal: "KILL", grace_secs: 5, remove: Some(&folder), log: &log };
        let mut command: Vec<String> = vec![program.to_string_lossy().into_owned()];
        if settings.iter().any(|word| word == "--sentinel") {
            // A sentinel keeps what it knows in its own file, and refuses to start without one.
            std::fs::write(folder.join("sentinel.conf"), "")
                .map_err(DevstackError::io("write sentinel.conf"))?;
            command.push("./sentinel.conf".to_owned());
        }
        match &listen {
            Listen::Socket => command.extend(
                ["--port", "0", "--unixsocket", "redis.sock", "--unixsocketperm", "700"].map(str::to_owned),
            ),
            Listen::Port(port) => {
                command.extend(["--bind", "127.0.0.1", "--port"].map(str::to_owned));
                command.push(port.to_string());
            }
        }
        command.extend(["--dir", ".", "--save", "", "--appendonly", "no"].map(str::to_owned));
        command.extend(settings.iter().cloned());
        let keeper = Keeper::start(
            &orders,
            |shell| {
                shell.current_dir(&folder).env_clear();
            },
            &command,
        )?;
        Ok(Self { keeper, folder, listen, settings })
    }

    async fn wait_ready(&mut self) -> Result<(), DevstackError> {
        let deadline = Instant::now() + READY_WITHIN;
        while !matches!(self.ask(&["PING"]).await.as_deref(), Ok("+PONG")) {
            if let Some(status) = self.keeper.ended() {
                return Err(DevstackError::Stopped {
                    name: "Redis".into(),
                    status: status.to_string(),
                    log: self.keeper.log().to_path_buf(),
                    tail: self.keeper.tail(),
                });
            }
            if Instant::now() >= deadline {
                return Err(self.not_ready());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    fn not_ready(&self) -> DevstackError {
        DevstackError::NotReady {
            name: "Redis".into(),
            seconds: READY_WITHIN.as_secs(),
            log: self.keeper.log().to_path_buf(),
        }
    }

    /// Sends one command and gives the raw answer without its last line's end: `+OK`, `:1`, `-ERR …`, or all of a bulk.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn ask(&self, words: &[&str]) -> Result<String, DevstackError> {
        let answer = match &self.listen {
            Listen::Socket => resp::ask_socket(&self.socket(), words).await,
            Listen::Port(port) => resp::ask_port(*port, words).await,
        };
        answer.map_err(DevstackError::io("talk to Redis"))
    }

    /// `redis://127.0.0.1:port`, or `unix:///…/redis.sock`.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.listen {
            Listen::Socket => format!("unix://{}", self.socket().display()),
            Listen::Port(port) => format!("redis://127.0.0.1:{port}"),
        }
    }

    /// Its port; 0 for a server on a socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        match self.listen {
            Listen::Socket => 0,
            Listen::Port(port) => port,
        }
    }

    /// Whether its process is there.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.keeper.is_running()
    }

    /// The server's process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.keeper.pid()
    }

    /// The folder that goes with the server.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        self.send(Signal::SIGKILL);
        self.keeper.wait(Duration::from_secs(5));
    }

    /// SIGSTOP: it is there and says nothing.
    pub fn pause(&mut self) {
        self.send(Signal::SIGSTOP);
    }

    /// SIGCONT: it goes on where it stopped.
    pub fn resume(&mut self) {
        self.send(Signal::SIGCONT);
    }

    /// Starts it again at the same place, empty; one that still runs is killed first.
    ///
    /// # Errors
    /// It does not start.
    pub async fn restart(&mut self) -> Result<(), DevstackError> {
        self.kill();
        // A fresh one: the keeper of the killed server removes the old folder.
        *self = Self::launch(self.listen.clone(), self.settings.clone())?;
        self.wait_ready().await
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("redis.sock")
    }

    fn send(&mut self, signal: Signal) {
        // The number is still its own: the keeper is its parent and has not ended.
        if self.keeper.ended().is_none() {
            let _ = kill(Pid::from_raw(self.keeper.pid()), signal);
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // One that was paused would not hear anything gentler.
        self.kill();
        self.keeper.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Waits until a condition of a group of servers holds.
async fn until(
    what: &'static str,
    log: &Path,
    mut holds: impl AsyncFnMut() -> bool,
) -> Result<(), DevstackError> {
    let deadline = Instant::now() + READY_WITHIN;
    while !holds().await {
        if Instant::now() >= deadline {
            return Err(DevstackError::NotReady {
                name: what.to_owned(),
                seconds: READY_WITHIN.as_secs(),
                log: log.to_path_buf(),
            });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
