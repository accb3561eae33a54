//! A private S3-compatible server (MinIO) for tests, and a fresh bucket for each of them.
//!
//! MinIO is a program that tests start; nothing of it is linked or shipped.

mod tls;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::keeper::{Keeper, Orders};
use crate::process::answers_200;
use crate::{DevstackError, free_port, private_folder, tools};

pub use tls::S3Certificate;

use tls::TlsProbe;

/// It is ready within a second; a busy machine may need longer.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// `health/ready` answers before the drive is formatted; this one after.
const HEALTH: &str = "minio/health/cluster";
/// Somebody may take the free port before MinIO does.
const ATTEMPTS: u32 = 3;

/// Lives until the process ends; its keeper then removes it.
static SERVER: OnceCell<S3Server> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(1);

/// A running server on a free port, with random credentials and a folder of its own. Stops when dropped, and also when our
/// process is killed; its folder goes with it.
pub struct S3Server {
    keeper: Keeper,
    folder: PathBuf,
    endpoint: String,
    access_key_id: String,
    secret_access_key: String,
    /// Of a server that speaks TLS.
    probe: Option<TlsProbe>,
}

/// A bucket that no other test has.
pub struct S3Bucket {
    server: &'static S3Server,
    name: String,
}

/// A new bucket on this process's server, which is started for the first one.
///
/// # Panics
/// With a sentence, when MinIO is missing or does not start.
pub async fn bucket() -> S3Bucket {
    let server = match SERVER.get_or_try_init(S3Server::start).await {
        Ok(server) => server,
        Err(error) => panic!("{error}"),
    };
    let name = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    if let Err(error) = server.make_bucket(&name) {
        panic!("{error}");
    }
    S3Bucket { server, name }
}

impl S3Server {
    /// Starts one and waits until it answers.
    ///
    /// # Errors
    /// MinIO is not installed, or it does not start.
    pub async fn start() -> Result<Self, DevstackError> {
        Self::started(None).await
    }

    /// The same, speaking TLS alone.
    ///
    /// # Errors
    /// MinIO is not installed, it does not start, or it does not show this certificate.
    pub async fn start_with_tls(certificate: &S3Certificate) -> Result<Self, DevstackError> {
        Self::started(Some(certificate)).await
    }

    async fn started(certificate: Option<&S3Certificate>) -> Result<Self, DevstackError> {
        let mut attempt = 1;
        loop {
            let server = Self::launch(certificate)?;
            match server.wait_ready(READY_WITHIN).await {
                Ok(()) => return Ok(server),
                Err(DevstackError::Stopped { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn launch(certificate: Option<&S3Certificate>) -> Result<Self, DevstackError> {
        let program = tools::find("minio").ok_or(DevstackError::MinioMissing)?;
        let folder = private_folder("mintmark-s3")?;
        let log = folder.join("minio.log");
        let orders = Orders { signal: "TERM", grace_secs: 5, remove: Some(&folder), log: &log };
        let (access_key_id, secret_access_key) = (random_hex(10)?, random_hex(20)?);
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        // Without certificates in it, it speaks no TLS; the folder it looks into by itself is its user's.
        let certificates = folder.join("certs");
        let (probe, endpoint) = match certificate {
            None => (None, format!("http://{address}")),
            Some(certificate) => {
                certificate.write(&certificates)?;
                let host = &certificate.host;
                (Some(TlsProbe::new(certificate, port)?), format!("https://{host}:{port}"))
            }
        };
        let command = [
            program.to_string_lossy().into_owned(),
            "server".to_owned(),
            "--quiet".to_owned(),
            format!("--address={address}"),
            format!("--certs-dir={}", certificates.display()),
            folder.join("data").to_string_lossy().into_owned(),
        ];
        let keeper = Keeper::start(
            &orders,
            |shell| {
                // Nothing of ours reaches it: no proxy, no configuration of another MinIO, no terminal.
                shell.current_dir("/").env_clear().env("HOME", &folder).envs([
                    ("MINIO_ROOT_USER", access_key_id.as_str()),
                    ("MINIO_ROOT_PASSWORD", secret_access_key.as_str()),
                    ("MINIO_BROWSER", "off"),
                    ("MINIO_UPDATE", "off"),
                ]);
                if let Some(path) = std::env::var_os("PATH") {
                    shell.env("PATH", path);
                }
            },
            &command,
        )?;
        Ok(Self { keeper, folder, endpoint, access_key_id, secret_access_key, probe })
    }

    async fn wait_ready(&self, bound: Duration) -> Result<(), DevstackError> {
        let deadline = Instant::now() + bound;
        while !(self.answers(HEALTH).await? && self.data().join(".minio.sys/format.json").exists()) {
            if !self.keeper.is_running() {
                return Err(DevstackError::Stopped {
                    name: "MinIO".into(),
                    status: "it ended".into(),
                    log: self.keeper.log().to_path_buf(),
                    tail: self.keeper.tail(),
                });
            }
            if Instant::now() >= deadline {
                return Err(DevstackError::NotReady {
                    name: "MinIO".into(),
                    seconds: bound.as_secs(),
                    log: self.keeper.log().to_path_buf(),
                });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn answers(&self, path: &str) -> Result<bool, DevstackError> {
        match &self.probe {
            None => answers_200(&format!("{}/{path}", self.endpoint)).await,
            Some(probe) => Ok(probe.answers_200(path).await),
        }
    }

    /// A bucket of this name; one that is there already is an error.
    ///
    /// # Errors
    /// Its folder cannot be made.
    pub fn make_bucket(&self, name: &str) -> Result<(), DevstackError> {
        // For a store on one drive a bucket is a folder beside its own, which saves this crate an S3 client.
        std::fs::create_dir(self.data().join(name))
            .map_err(DevstackError::io(format!("make the bucket {name}")))
    }

    /// `http://127.0.0.1:port`, or `https://` and the host of its certificate.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The variables with which a service uses it, except for the one that names the store.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("S3_ENDPOINT", self.endpoint.clone()),
            ("S3_ACCESS_KEY_ID", self.access_key_id.clone()),
            ("S3_SECRET_ACCESS_KEY", self.secret_access_key.clone()),
        ]
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

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.keeper.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl S3Bucket {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `http://127.0.0.1:port`, without the bucket.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.server.endpoint()
    }

    /// The variables with which a service uses it, except for the one that names the store.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, String); 3] {
        self.server.variables()
    }

    /// The paths of all objects, sorted: what lies on the server's disk, whatever its API says.
    #[must_use]
    pub fn objects(&self) -> Vec<String> {
        let root = self.server.data().join(&self.name);
        let mut found = Vec::new();
        // MinIO keeps an object as a folder of its name with this file in it.
        walk(&root, &mut |file| {
            if file.file_name().is_some_and(|name| name == "xl.meta")
                && let Some(Ok(path)) = file.parent().map(|object| object.strip_prefix(&root))
            {
                found.push(path.to_string_lossy().into_owned());
            }
        });
        found.sort();
        found
    }

    /// The server's data folder, for tests that look behind its API.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.server.data()
    }
}

fn walk(folder: &Path, see: &mut impl FnMut(&Path)) {
    // What goes away meanwhile is not there.
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() { walk(&path, see) } else { see(&path) }
    }
}

fn random_hex(bytes: usize) -> Result<String, DevstackError> {
    let mut random = vec![0; bytes];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut random))
        .map_err(DevstackError::io("read /dev/urandom"))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
