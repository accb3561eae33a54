//! A private Postgres cluster.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::binaries::Binaries;
use crate::keeper::{Keeper, Orders};
use crate::{DevstackError, folder, lockfile, private_folder, unix_url};

/// The cluster's superuser.
const SUPERUSER: &str = "postgres";
/// Recovery after a crash may take this long before the server is ready.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// What kind of cluster to start. No `Debug`: it holds a password.
pub struct PostgresOptions {
    /// The data folder. Made on the first start; reused on the next where `durable`.
    pub dir: PathBuf,
    /// The folder of the socket, mode 0700; none: a short one under the temporary folder, removed at the end.
    pub socket_dir: Option<PathBuf>,
    /// Whether commits reach the disk. Off only where losing everything in a crash is fine.
    pub fsync: bool,
    /// Kept between runs and guarded by SCRAM passwords; otherwise removed at the end and trusting whoever reaches the socket.
    pub durable: bool,
    /// The superuser's password, required where `durable`; used on the first start, to be repeated on later ones.
    pub superuser_password: Option<String>,
    /// Upper bound of connections.
    pub max_connections: u16,
    /// Where the server's log goes; none: `postgres.log` beside the data.
    pub log_file: Option<PathBuf>,
    /// Further settings by name, like `shared_buffers`: they win over what the others imply.
    pub settings: Vec<(&'static str, String)>,
}

impl PostgresOptions {
    /// A cluster that keeps its data.
    #[must_use]
    pub fn durable(dir: PathBuf, superuser_password: String) -> Self {
        Self {
            dir,
            socket_dir: None,
            fsync: true,
            durable: true,
            superuser_password: Some(superuser_password),
            max_connections: 100,
            log_file: None,
            settings: Vec::new(),
        }
    }

    /// A cluster for tests: trust inside its 0700 folder, nothing synced, 300 connections, gone at the end.
    ///
    /// # Errors
    /// No private folder can be made.
    pub fn throwaway() -> Result<Self, DevstackError> {
        let home = private_folder("mintmark-pg")?;
        Ok(Self {
            dir: home.join("data"),
            socket_dir: Some(home),
            fsync: false,
            durable: false,
            superuser_password: None,
            max_connections: 300,
            log_file: None,
            settings: Vec::new(),
        })
    }
}

/// A running private cluster. Stops when dropped, and also when our process is killed.
pub struct PostgresServer {
    keeper: Keeper,
    socket_dir: PathBuf,
    superuser_password: Option<String>,
    /// Goes after the server has stopped.
    _scratch: Scratch,
}

impl PostgresServer {
    /// Makes the cluster if there is none yet, starts it, and waits until it accepts connections. Blocks: about one
    /// second the first time, a tenth of that later.
    ///
    /// # Errors
    /// A sentence for each thing that can be in the way: no or another Postgres, a folder that the `postgres` user
    /// cannot enter, data in use, a socket path that is too long.
    pub fn start(options: PostgresOptions) -> Result<Self, DevstackError> {
        let account = Account::find()?;
        if options.durable && options.superuser_password.is_none() {
            return Err(DevstackError::PasswordMissing);
        }
        let (socket_dir, ours) = match options.socket_dir.clone() {
            Some(dir) => (dir, !options.durable),
            None => (private_folder("mintmark-pg")?, true),
        };
        let scratch = Scratch(ours.then(|| socket_dir.clone()));
        folder::check_socket_length(&socket_dir)?;
        make_private(&socket_dir)?;
        account.own(&socket_dir)?;
        account.can_reach(&socket_dir)?;
        let binaries = prepare_data(&account, &options)?;

        let log = options.log_file.clone().unwrap_or_else(|| options.dir.with_file_name("postgres.log"));
        let orders = Orders {
            // Fast keeps the data clean; immediate is right for data that goes away with it.
            signal: if options.durable { "INT" } else { "QUIT" },
            grace_secs: if options.durable { 60 } else { 5 },
            remove: scratch.0.as_deref(),
            log: &log,
        };
        let mut command = account.prefix();
        command.push(binaries.postgres().to_string_lossy().into_owned());
        command.extend(arguments(&options, &socket_dir));
        let keeper = Keeper::start(
            &orders,
            |shell| {
                shell.current_dir("/");
            },
            &command,
        )?;
        let mut server =
            Self { keeper, socket_dir, superuser_password: options.superuser_password, _scratch: scratch };
        server.wait_ready(&options.dir)?;
        Ok(server)
    }

    /// The folder of the socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The superuser's URL for `database`.
    #[must_use]
    pub fn superuser_url(&self, database: &str) -> String {
        let password = self.superuser_password.as_deref();
        unix_url(SUPERUSER, password, database, &self.socket_dir)
    }

    /// `user`'s URL for `database`; no password where the cluster trusts (tests).
    #[must_use]
    pub fn url(&self, user: &str, password: Option<&str>, database: &str) -> String {
        unix_url(user, password, database, &self.socket_dir)
    }

    /// Whether its process is there.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.keeper.is_running()
    }

    /// Where it says what happens to it: a file that outlives it, unless it lies in a folder that goes with the server.
    #[must_use]
    pub fn log(&self) -> &Path {
        self.keeper.log()
    }

    /// The server's process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.keeper.pid()
    }

    /// Stops the server and waits for its end; dropping does the same.
    pub fn stop(self) {
        drop(self);
    }

    fn wait_ready(&mut self, dir: &Path) -> Result<(), DevstackError> {
        let deadline = Instant::now() + READY_WITHIN;
        while !lockfile::is_ready(dir) {
            if let Some(status) = self.keeper.ended() {
                return Err(DevstackError::Stopped {
                    name: "Postgres".into(),
                    status: status.to_string(),
                    log: self.keeper.log().to_path_buf(),
                    tail: self.keeper.tail(),
                });
            }
            if Instant::now() >= deadline {
                return Err(DevstackError::NotReady {
                    name: "Postgres".into(),
                    seconds: READY_WITHIN.as_secs(),
                    log: self.keeper.log().to_path_buf(),
                });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.keeper.stop();
    }
}

/// A folder that must not outlive the server, nor a start that failed. The keeper removes it too, where we are killed.
struct Scratch(Option<PathBuf>);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(dir) = &self.0 {
            let _ = std::fs::remove_dir_all(dir);
        }
    }
}

/// Makes sure that `options.dir` holds a cluster, and finds the programs that can run it.
fn prepare_data(account: &Account, options: &PostgresOptions) -> Result<Binaries, DevstackError> {
    let dir = &options.dir;
    let Some(parent) = dir.parent() else {
        return Err(DevstackError::Foreign { dir: dir.clone() });
    };
    make_private_parent(parent)?;
    account.can_reach(parent)?;
    if let Ok(version) = std::fs::read_to_string(dir.join("PG_VERSION")) {
        let found = version.trim().to_owned();
        let binaries = Binaries::find(found.parse().ok())?;
        if binaries.major.to_string() != found {
            return Err(DevstackError::PostgresVersion {
                dir: dir.clone(),
                found,
                installed: binaries.major,
            });
        }
        lockfile::clear_stale(dir)?;
        return Ok(binaries);
    }
    if dir.read_dir().is_ok_and(|mut d| d.next().is_some()) {
        return Err(DevstackError::Foreign { dir: dir.clone() });
    }
    let binaries = Binaries::find(None)?;
    initialise(account, &binaries, options, parent)?;
    Ok(binaries)
}

/// Runs `initdb` beside the final place and renames, so that an interrupted first start leaves nothing half made.
fn initialise(
    account: &Account,
    binaries: &Binaries,
    options: &PostgresOptions,
    parent: &Path,
) -> Result<(), DevstackError> {
    let name = options.dir.file_name().unwrap_or_default();
    let mut fresh = name.to_os_string();
    fresh.push(".new");
    let fresh = parent.join(fresh);
    let _ = std::fs::remove_dir_all(&fresh);
    make_private(&fresh)?;
    account.own(&fresh)?;
    let method = if options.durable { "scram-sha-256" } else { "trust" };
    let mut initdb = account.command(&binaries.initdb());
    initdb
        .arg("-D")
        .arg(&fresh)
        .args(["--username", SUPERUSER])
        .args(["--encoding=UTF8", "--locale=C", "--no-instructions"])
        .arg(format!("--auth-local={method}"))
        .arg(format!("--auth-host={method}"));
    if !options.fsync {
        initdb.arg("--no-sync");
    }
    let secret = match &options.superuser_password {
        Some(password) => Some(PasswordFile::write(account, password)?),
        None => None,
    };
    if let Some(secret) = &secret {
        initdb.arg("--pwfile").arg(&secret.file);
    }
    let output = initdb.output().map_err(DevstackError::io("run initdb"))?;
    drop(secret);
    if !output.status.success() {
        return Err(DevstackError::Command {
            program: "initdb".into(),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    let _ = std::fs::remove_dir(&options.dir);
    std::fs::rename(&fresh, &options.dir)
        .map_err(DevstackError::io(format!("move the new database to {}", options.dir.display())))
}

/// The superuser's password for the seconds that `initdb` needs it: 0600, in a 0700 folder, removed on drop.
struct PasswordFile {
    folder: PathBuf,
    file: PathBuf,
}

impl PasswordFile {
    fn write(account: &Account, password: &str) -> Result<Self, DevstackError> {
        let folder = private_folder("mintmark-pw")?;
        let file = folder.join("password");
        let this = Self { folder, file };
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&this.file)
            .and_then(|mut f| f.write_all(password.as_bytes()))
            .map_err(DevstackError::io("write the password for initdb"))?;
        account.own(&this.file)?;
        account.own(&this.folder)?;
        Ok(this)
    }
}

impl Drop for PasswordFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The server's arguments: they win over `postgresql.conf`, so a reused cluster gets today's settings.
fn arguments(options: &PostgresOptions, socket_dir: &Path) -> Vec<String> {
    let mut words = vec![
        "-D".to_owned(),
        options.dir.to_string_lossy().into_owned(),
        "-k".to_owned(),
        socket_dir.to_string_lossy().into_owned(),
    ];
    let mut set = |setting: String| words.extend(["-c".to_owned(), setting]);
    set("listen_addresses=".into());
    set("unix_socket_permissions=0700".into());
    set(format!("max_connections={}", options.max_connections));
    set("timezone=UTC".into());
    set("log_timezone=UTC".into());
    set("logging_collector=off".into());
    if !options.fsync {
        set("fsync=off".into());
        set("full_page_writes=off".into());
        set("synchronous_commit=off".into());
        // Nothing replicates a throwaway; less WAL, and checkpoints only where CREATE DATABASE asks for one.
        set("wal_level=minimal".into());
        set("max_wal_senders=0".into());
        set("checkpoint_timeout=1d".into());
    }
    for (name, value) in &options.settings {
        set(format!("{name}={value}"));
    }
    words
}

/// A folder that only its owner enters.
fn make_private(dir: &Path) -> Result<(), DevstackError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(DevstackError::io(format!("make {}", dir.display())))
}

/// The data folder's parent: made if absent, open for passing through so that `postgres` reaches its own folder inside.
fn make_private_parent(dir: &Path) -> Result<(), DevstackError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(dir)
        .map_err(DevstackError::io(format!("make {}", dir.display())))
}
