//! One process of a service, which is replaced by another.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mintmark_devstack::Process;
use mintmark_tests::program;

/// From start to ready, on a busy machine with debug builds.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Lines of a log that the report of a failed test shows.
const COMPLAINTS: usize = 20;

pub struct Replica {
    name: String,
    program: &'static str,
    role: Option<&'static str>,
    environment: Vec<(String, String)>,
    ops: SocketAddr,
    log: PathBuf,
    process: Option<Process>,
}

/// An address of its own for as long as this test runs.
pub fn free() -> SocketAddr {
    ([127, 0, 0, 1], mintmark_devstack::free_port()).into()
}

impl Replica {
    /// Not started yet.
    pub fn new(
        (program, role): (&'static str, Option<&'static str>),
        which: usize,
        own: Vec<(&'static str, String)>,
        folder: &Path,
    ) -> Self {
        let ops = free();
        let shared = [("APP_ENV", "test".to_owned()), ("OPS_ADDR", ops.to_string())];
        let environment =
            own.into_iter().chain(shared).map(|(name, value)| (name.to_owned(), value)).collect();
        let name = format!("{program}-{}-{which}", role.unwrap_or("serve"));
        let log = folder.join(format!("{name}.log"));
        Self { name, program, role, environment, ops, log, process: None }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether batches are minted in this process.
    pub fn mints(&self) -> bool {
        (self.program, self.role) == ("control-plane", Some("serve"))
    }

    /// Whether batches are published through this process.
    pub fn publishes(&self) -> bool {
        (self.program, self.role) == ("resolver", Some("directory"))
    }

    pub fn pid(&self) -> i32 {
        self.process.as_ref().unwrap().pid()
    }

    pub fn start(&mut self) {
        let arguments: Vec<&str> = self.role.into_iter().collect();
        let process = Process::spawn(&program(self.program), &arguments, &self.environment, &self.log);
        self.process = Some(process.unwrap());
    }

    pub async fn ready(&mut self) {
        let url = format!("http://{}/readyz", self.ops);
        self.process.as_mut().unwrap().wait_ready(&url, READY_WITHIN).await.unwrap();
    }

    /// SIGTERM; it must end by itself, and well.
    pub async fn stop(&mut self) {
        let process = self.process.take().unwrap();
        let status = tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
        let log = self.log();
        assert!(status.is_some_and(|it| it.success()), "{} did not drain: {status:?}\n{log}", self.name);
    }

    /// Shows what it complained of, for the report of a test that failed.
    pub fn show_complaints(&self) {
        let log = self.log();
        let complaints =
            log.lines().filter(|line| ["WARN", "ERROR", "panicked"].iter().any(|it| line.contains(it)));
        for line in complaints.take(COMPLAINTS) {
            println!("{}: {line}", self.name);
        }
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}
